/**
 * The native decoder against WebAssembly: the same bytes of every good picture, the same refusal of every bad one.
 */

import { createClassifier } from "@clip-e/edge";
import { folderSource, openNativeDecoder } from "@clip-e/edge/deno";
import { createDecoders, decodePicture } from "@clip-e/edge/decode";
import { ClipEError, type Picture } from "@clip-e/shared";
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { readPicture } from "../golden_file.ts";
import { isNativeInstalled, unlessInstalled } from "../native_installed.ts";

const ignore = !isNativeInstalled;
const MAX_PIXELS = 50_000_000;
const pictures = new URL("../../fixtures/pictures/", import.meta.url);
const decoders = createDecoders();

/** A picture's upright RGB bytes, row by row. */
function rgb({ width, height, data, offset, strideX, strideY }: Picture): Uint8Array {
  const bytes = new Uint8Array(width * height * 3);
  for (let y = 0, o = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const i = offset + x * strideX + y * strideY;
      for (let c = 0; c < 3; c++) bytes[o++] = data[i + c];
    }
  }
  return bytes;
}

function namesIn(folder: URL): string[] {
  return [...Deno.readDirSync(folder)]
    .filter(({ isFile, name }) => isFile && !/\.(md|json)$/.test(name))
    .map(({ name }) => name).sort();
}

async function refusal(decoding: Promise<Picture>): Promise<string> {
  const error = await decoding.then(() => assert.fail("it was decoded"), (error) => error);
  assert.ok(error instanceof ClipEError, String(error));
  return `${error.code}: ${error.message}`;
}

Deno.test({
  name: `openNativeDecoder() gives WebAssembly's bytes of every good picture${unlessInstalled}`,
  ignore,
  async fn() {
    const none = () => Promise.reject(new Error("sharp found fault with it"));
    const decode = openNativeDecoder({ jpeg: none, png: none, webp: none });
    const names = namesIn(pictures);
    assert.ok(names.length > 10);
    for (const name of names) {
      const bytes = await readPicture(name);
      const expected = await decodePicture(bytes, decoders, MAX_PIXELS);
      const actual = await decode(bytes, MAX_PIXELS);
      assert.deepEqual([actual.width, actual.height], [expected.width, expected.height], name);
      assert.ok(Buffer.compare(rgb(actual), rgb(expected)) === 0, name);
    }
  },
});

Deno.test({
  name: `openNativeDecoder() refuses every bad picture as WebAssembly does${unlessInstalled}`,
  ignore,
  async fn() {
    const decode = openNativeDecoder();
    const names = namesIn(new URL("bad/", pictures));
    assert.ok(names.length > 10);
    for (const name of names) {
      const bytes = await readPicture(`bad/${name}`);
      const expected = await refusal(decodePicture(bytes, decoders, MAX_PIXELS));
      assert.equal(await refusal(decode(bytes, MAX_PIXELS)), expected, name);
    }
    await assert.rejects(decode(await readPicture("storm.jpg"), 100), { code: "too-many-pixels" });
  },
});

const NEEDED = ["npm_package_config_libvips", "MALLOC_ARENA_MAX"];

for (const isPermitted of [true, false]) {
  Deno.test({
    name: `chooseRuntime() decodes ${
      isPermitted ? "natively where sharp may read what it asks for" : "by WebAssembly elsewhere"
    }${unlessInstalled}`,
    ignore,
    async fn() {
      const root = new URL("../../", import.meta.url).pathname;
      const code = `import { chooseRuntime } from "./edge/adapter/deno/choose_runtime.ts";
        const { backends, decode } = await chooseRuntime("native");
        console.log(backends.map(({ name }) => name).join(), typeof decode);`;
      const child = new Deno.Command(Deno.execPath(), {
        args: [
          "run",
          "--no-prompt",
          `--allow-read=.${isPermitted ? ",/usr/bin/ldd" : ""}`,
          `--allow-env=INIT_CWD,ORT_DISABLE_TELEMETRY${isPermitted ? `,${NEEDED}` : ""}`,
          "--allow-ffi=edge/adapter/deno/native",
          "-",
        ],
        cwd: root,
        stdin: "piped",
        stdout: "piped",
        stderr: "inherit",
      }).spawn();
      const writer = child.stdin.getWriter();
      await writer.write(new TextEncoder().encode(code));
      await writer.close();
      const said = new TextDecoder().decode((await child.output()).stdout);
      assert.equal(said, `native ${isPermitted ? "function" : "undefined"}\n`);
    },
  });
}

Deno.test("createClassifier() decodes with what it is given", async () => {
  const bundle = folderSource(new URL("../../fixtures/bundles/tiny", import.meta.url).pathname);
  const asked: number[] = [];
  const classifier = await createClassifier({
    bundle,
    maxPixels: 1_000_000,
    decode(picture, maxPixels) {
      asked.push(maxPixels);
      return decodePicture(picture, decoders, maxPixels);
    },
  });
  await classifier.embed(await readPicture("storm.jpg"));
  assert.deepEqual(asked, [1_000_000]);
  await classifier.close();
});
