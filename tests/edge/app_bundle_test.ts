/**
 * The bundle's files over HTTP, without a network: which are given, how, and which never.
 */

import { type BundleSource, MANIFEST_PATH, sha256, writeManifest } from "@clip-e/shared";
import assert from "node:assert/strict";
import type { AppOptions, EdgeApp } from "../../edge/app/app.ts";
import { assertProblem } from "../e2e/assert_problem.ts";
import { makeSyntheticBundle } from "../synthetic_bundle.ts";
import { makeApp, MODEL, request } from "./fake_app.ts";

const { files, manifest } = await makeSyntheticBundle();
const manifestBytes = files.get(MANIFEST_PATH) ?? assert.fail();
const digest = `sha256:${await sha256(manifestBytes)}`;
const encoder = files.get("encoder.onnx") ?? assert.fail();
const ENCODER = "/v1/bundle/encoder.onnx";

/** A source of the bundle, and of a file that its manifest does not name; it counts the streams that are open. */
function makeSource(changed: ReadonlyMap<string, Uint8Array<ArrayBuffer>> = new Map()) {
  const all = new Map([...files, ["secret.txt", new TextEncoder().encode("secret")], ...changed]);
  const count = { streams: 0, open: 0 };
  const source: BundleSource = {
    location: "/srv/secret-folder",
    read: (path) => Promise.resolve(all.get(path)),
    stream(path, start) {
      const bytes = all.get(path)?.subarray(start);
      if (!bytes) return Promise.resolve(undefined);
      count.streams++;
      count.open++;
      let at = 0;
      return Promise.resolve(
        new ReadableStream({
          pull(controller) {
            const piece = bytes.subarray(at, at += 1000);
            if (piece.length > 0) return controller.enqueue(piece);
            count.open--;
            controller.close();
          },
          cancel: () => void count.open--,
        }, { highWaterMark: 0 }),
      );
    },
  };
  return { source, count };
}

function serve(source: BundleSource, options: AppOptions = {}): EdgeApp {
  return makeApp({ ...options, bundle: source }, { model: { ...MODEL, bundle: digest } });
}

async function bytesOf(response: Response): Promise<Uint8Array> {
  return new Uint8Array(await response.arrayBuffer());
}

Deno.test("createApp() gives the manifest and every file that it names, each with its hash as ETag", async () => {
  const { source, count } = makeSource();
  const { read } = source;
  for (const app of [serve(source), serve({ read })]) {
    for (const [path, expected] of files) {
      const response = await app.fetch(request(`/v1/bundle/${path}`));
      assert.equal(response.status, 200, path);
      assert.equal(response.headers.get("ETag"), `"${await sha256(expected)}"`);
      assert.equal(response.headers.get("Content-Length"), String(expected.length));
      assert.equal(
        response.headers.get("Content-Type"),
        path === MANIFEST_PATH ? "application/json" : "application/octet-stream",
      );
      assert.deepEqual(await bytesOf(response), expected, path);
    }
  }
  assert.deepEqual(count, { streams: files.size - 1, open: 0 });
});

Deno.test("createApp() gives no file that the manifest does not name, by whatever path", async () => {
  const { source, count } = makeSource();
  const app = serve(source);
  for (
    const path of [
      "",
      "secret.txt",
      "../secret.txt",
      "..%2fsecret.txt",
      "%2e%2e/secret.txt",
      "/secret.txt",
      "./secret.txt",
      "encoder.onnx/",
      "/encoder.onnx",
      "Encoder.onnx",
      "encoder.onnx%00",
      "heads",
      "__proto__",
      "%",
      "%ff",
    ]
  ) {
    const response = await app.fetch(request(`/v1/bundle/${path}`));
    await assertProblem(response, 404, "not-found");
  }
  assert.equal(count.streams, 0);
});

Deno.test("createApp() gives nothing of the bundle, and describes nothing, unless it is told to", async () => {
  const app = makeApp();
  await assertProblem(await app.fetch(request("/v1/bundle/manifest.json")), 404, "not-found");
  const { paths } = await (await app.fetch(request("/openapi.json"))).json();
  assert.ok(!("/v1/bundle/{path}" in paths));
  const open = await (await serve(makeSource().source).fetch(request("/openapi.json"))).json();
  assert.ok("/v1/bundle/{path}" in open.paths);
});

Deno.test("createApp() asks for a token and counts requests for the bundle as for the rest below /v1/", async () => {
  const rateLimit = () => Promise.resolve(false);
  const { source, count } = makeSource();
  const closed = serve(source, { tokens: ["good"] });
  await assertProblem(await closed.fetch(request(ENCODER)), 401, "unauthorized");
  const headers = { Authorization: "Bearer good" };
  const response = await closed.fetch(request(ENCODER, { headers }));
  assert.deepEqual(await bytesOf(response), encoder);
  await assertProblem(
    await serve(source, { rateLimit }).fetch(request(ENCODER)),
    429,
    "rate-limited",
  );
  assert.equal(count.streams, 1);
});

Deno.test("createApp() answers HEAD with the file's length, and leaves no stream open", async () => {
  const { source, count } = makeSource();
  const response = await serve(source).fetch(request(ENCODER, { method: "HEAD" }));
  assert.equal(response.status, 200);
  assert.equal(response.headers.get("Content-Length"), String(encoder.length));
  assert.equal(response.body, null);
  assert.deepEqual(count, { streams: 1, open: 0 });
});

Deno.test("createApp() answers 304 to whoever has the file, without opening it", async () => {
  const { source, count } = makeSource();
  const headers = { "If-None-Match": `"other", "${await sha256(encoder)}"` };
  const response = await serve(source).fetch(request(ENCODER, { headers }));
  assert.equal(response.status, 304);
  assert.equal(response.body, null);
  assert.equal(response.headers.get("ETag"), `"${await sha256(encoder)}"`);
  assert.equal(count.streams, 0);
});

Deno.test("createApp() gives the range that is asked for, from a stream or from bytes", async () => {
  const { source, count } = makeSource();
  const { read } = source;
  const { length } = encoder;
  for (const app of [serve(source), serve({ read })]) {
    for (
      const [range, start, end] of [
        ["bytes=0-0", 0, 1],
        ["bytes=1500-3499", 1500, 3500],
        [`bytes=${length - 5}-`, length - 5, length],
        ["bytes=-2500", length - 2500, length],
      ] as const
    ) {
      const response = await app.fetch(request(ENCODER, { headers: { Range: range } }));
      assert.equal(response.status, 206, range);
      assert.equal(response.headers.get("Content-Range"), `bytes ${start}-${end - 1}/${length}`);
      assert.equal(response.headers.get("Content-Length"), String(end - start));
      assert.deepEqual(await bytesOf(response), encoder.subarray(start, end), range);
    }
  }
  assert.equal(count.open, 0);
});

Deno.test("createApp() answers 416 with the length to a range beyond the file", async () => {
  const { source, count } = makeSource();
  const headers = { Range: `bytes=${encoder.length}-` };
  const response = await serve(source).fetch(request(ENCODER, { headers }));
  assert.equal(response.headers.get("Content-Range"), `bytes */${encoder.length}`);
  await assertProblem(response, 416, "unsatisfiable-range");
  assert.equal(count.streams, 0);
});

Deno.test("createApp() gives the whole file where a range is of another version of it", async () => {
  const app = serve(makeSource().source);
  const ask = async (tag: string) => {
    const headers = { "Range": "bytes=0-9", "If-Range": tag };
    const response = await app.fetch(request(ENCODER, { headers }));
    return [response.status, (await bytesOf(response)).length];
  };
  assert.deepEqual(await ask(`"${await sha256(encoder)}"`), [206, 10]);
  assert.deepEqual(await ask('"other"'), [200, encoder.length]);
});

Deno.test("createApp() answers 404 to a file that the bundle's owner left out", async () => {
  const { source } = makeSource();
  const without: BundleSource = {
    read: (path) => Promise.resolve(path === "README.md" ? undefined : files.get(path)),
  };
  assert.equal((await serve(source).fetch(request("/v1/bundle/README.md"))).status, 200);
  const response = await serve(without).fetch(request("/v1/bundle/README.md"));
  await assertProblem(response, 404, "not-found");
});

Deno.test("createApp() gives nothing of a bundle that was replaced, names no places, and tries again", async () => {
  const other = writeManifest({ ...manifest, name: "other" });
  const changed = new Map([[MANIFEST_PATH, other]]);
  const { source } = makeSource(changed);
  const heard: unknown[] = [];
  let isReplaced = true;
  const read: BundleSource["read"] = async (path) =>
    path === MANIFEST_PATH && !isReplaced ? manifestBytes : await source.read(path);
  const app = serve({ ...source, read }, { onError: (error) => heard.push(error) });
  for (const path of ["manifest.json", "encoder.onnx"]) {
    const detail = await assertProblem(
      await app.fetch(request(`/v1/bundle/${path}`)),
      503,
      "invalid-bundle",
    );
    assert.doesNotMatch(detail, /secret/);
  }
  assert.equal(heard.length, 2);
  assert.match(String(heard[0]), /digest/);
  isReplaced = false;
  assert.equal((await app.fetch(request(ENCODER))).status, 200);
});
