/**
 * What pages compute with, over HTTP, without a network: packed or not, the page's policy with it.
 */

import { MANIFEST_PATH, sha256 } from "@clip-e/shared";
import assert from "node:assert/strict";
import type { EdgeApp } from "../../edge/app/app.ts";
import { assertProblem } from "../e2e/assert_problem.ts";
import { makeSyntheticBundle } from "../synthetic_bundle.ts";
import { makeApp, MODEL, request } from "./fake_app.ts";

const { files: bundleFiles } = await makeSyntheticBundle();
const bundle = {
  read: (path: string) => Promise.resolve(bundleFiles.get(path)),
};
const digest = `sha256:${await sha256(bundleFiles.get(MANIFEST_PATH) ?? assert.fail())}`;

const SCRIPT = new TextEncoder().encode("export const answer = 42;\n".repeat(1000));
const WASM = new Uint8Array(50_000).map((_, i) => i % 7);

async function through(bytes: Uint8Array<ArrayBuffer>, change: GenericTransformStream) {
  return new Uint8Array(
    await new Response(new Blob([bytes]).stream().pipeThrough(change)).arrayBuffer(),
  );
}

type GenericTransformStream = CompressionStream | DecompressionStream;

async function pack(bytes: Uint8Array<ArrayBuffer>) {
  const packed = await through(bytes, new CompressionStream("gzip"));
  return {
    packed,
    entry: { bytes: bytes.length, packed: packed.length, sha256: await sha256(bytes) },
  };
}

const script = await pack(SCRIPT);
const wasm = await pack(WASM);
const list = { "worker.js": script.entry, "decoder.wasm": wasm.entry, "gone.js": script.entry };
const files = new Map([
  ["files.json", new TextEncoder().encode(JSON.stringify(list))],
  ["worker.js.gz", script.packed],
  ["decoder.wasm.gz", wasm.packed],
  ["stamp", new TextEncoder().encode("stamp")],
]);

function makeSource() {
  const asked: string[] = [];
  const read = (name: string) => {
    asked.push(name);
    return Promise.resolve(files.get(name));
  };
  return { source: { read }, asked };
}

function serve(): EdgeApp {
  return makeApp({ bundle, browser: makeSource().source }, {
    model: { ...MODEL, bundle: digest },
  });
}

Deno.test("createApp() lists what pages compute with, with lengths for a bar", async () => {
  const response = await serve().fetch(request("/browser/files.json"));
  assert.equal(response.headers.get("Content-Type"), "application/json");
  const answer = await response.json();
  assert.equal(answer["worker.js"].bytes, SCRIPT.length);
  assert.equal(answer["decoder.wasm"].bytes, WASM.length);
});

for (
  const [name, type, bytes, packed] of [
    ["worker.js", "text/javascript; charset=utf-8", SCRIPT, script.packed],
    ["decoder.wasm", "application/wasm", WASM, wasm.packed],
  ] as const
) {
  Deno.test(`createApp() gives ${name} packed to those who take it, and unpacked to others`, async () => {
    for (
      const [header, isPacked] of [
        ["gzip", true],
        ["br, GZIP;q=0.5", true],
        ["deflate, gzip;q=1.0, *;q=0.5", true],
        [undefined, false],
        ["", false],
        ["br", false],
        ["gzip;q=0", false],
        ["gzip; q=0.000, br", false],
        ["x-gzip", false],
      ] as const
    ) {
      const headers: HeadersInit = header === undefined ? {} : { "Accept-Encoding": header };
      const response = await serve().fetch(request(`/browser/${name}`, { headers }));
      assert.equal(response.status, 200, String(header));
      assert.equal(response.headers.get("Content-Type"), type);
      assert.equal(response.headers.get("Vary"), "Accept-Encoding");
      assert.equal(response.headers.get("Cache-Control"), "no-cache");
      assert.equal(
        response.headers.get("Content-Encoding"),
        isPacked ? "gzip" : null,
        String(header),
      );
      const sent = new Uint8Array(await response.arrayBuffer());
      assert.deepEqual(sent, isPacked ? packed : bytes, String(header));
      assert.equal(response.headers.get("Content-Length"), String(sent.length));
    }
  });
}

Deno.test("createApp() answers 304 to a page that has the file, packed or not, and HEAD without a body", async () => {
  const app = serve();
  const first = await app.fetch(request("/browser/worker.js", { method: "HEAD" }));
  assert.deepEqual([first.status, first.body], [200, null]);
  const tag = first.headers.get("ETag") ?? assert.fail();
  assert.match(tag, /^W\/"[0-9a-f]{64}"$/);
  for (const encoding of ["gzip", "identity"]) {
    const headers = { "If-None-Match": tag, "Accept-Encoding": encoding };
    const response = await app.fetch(request("/browser/worker.js", { headers }));
    assert.deepEqual([response.status, response.body], [304, null]);
    assert.equal(response.headers.get("ETag"), tag);
  }
});

Deno.test("createApp() gives no file that the list does not have, by whatever path", async () => {
  const { source, asked } = makeSource();
  const app = makeApp({ bundle, browser: source });
  for (
    const path of [
      "",
      "stamp",
      "worker.js.gz",
      "gone.js",
      "toString",
      "__proto__",
      "../files.json",
      "%2e%2e/stamp",
      "..%2fstamp",
      "a/worker.js",
    ]
  ) {
    await assertProblem(await app.fetch(request(`/browser/${path}`)), 404, "not-found");
  }
  assert.deepEqual([...new Set(asked)].sort(), ["files.json", "gone.js.gz"]);
});

Deno.test("createApp() has no browser mode without the scripts, or without the bundle", async () => {
  const missing = { read: () => Promise.resolve(undefined) };
  for (
    const app of [
      makeApp(),
      makeApp({ browser: makeSource().source }),
      makeApp({ bundle }),
      makeApp({ bundle, browser: missing }),
    ]
  ) {
    for (const name of ["files.json", "worker.js"]) {
      await assertProblem(await app.fetch(request(`/browser/${name}`)), 404, "not-found");
    }
  }
});

Deno.test("createApp() lets the page and its worker run WebAssembly and use the camera, and nothing else", async () => {
  const page = { read: (name: string) => Promise.resolve(new TextEncoder().encode(name)) };
  const app = makeApp({ bundle, browser: makeSource().source, page });
  const policyOf = async (path: string) => {
    const { headers, body } = await app.fetch(request(path));
    await body?.cancel();
    return {
      policy: headers.get("Content-Security-Policy") ?? "",
      camera: headers.get("Permissions-Policy"),
    };
  };
  for (const path of ["/", "/page/page.js", "/browser/worker.js", "/browser/decoder.wasm"]) {
    const { policy, camera } = await policyOf(path);
    assert.match(policy, /^default-src 'none'; script-src 'self' 'wasm-unsafe-eval';/, path);
    assert.match(policy, /; worker-src 'self'(;|$)/, path);
    assert.match(policy, /; connect-src 'self';/, path);
    assert.doesNotMatch(policy, /unsafe-(inline|hashes)|'unsafe-eval'|\*|https?:/, path);
    assert.match(camera ?? "", /\bcamera=\(self\)/, path);
  }
  for (const path of ["/docs", "/docs/docs.js", "/v1/model", "/nowhere", "/pages", "/browser"]) {
    const { policy, camera } = await policyOf(path);
    assert.match(policy, /; script-src 'self';/, path);
    assert.doesNotMatch(policy, /wasm|worker-src/, path);
    assert.equal(camera, null, path);
  }
});

Deno.test("createApp() gives the page's own scripts and styles below /page/, and no other files of it", async () => {
  const asked: string[] = [];
  const page = {
    read: (name: string) => {
      asked.push(name);
      return Promise.resolve(name === "gone.js" ? undefined : new TextEncoder().encode(name));
    },
  };
  const app = makeApp({ page });
  for (
    const [name, type] of [
      ["page.js", "text/javascript"],
      ["server_engine.js", "text/javascript"],
      [
        "page.css",
        "text/css",
      ],
    ]
  ) {
    const response = await app.fetch(request(`/page/${name}`));
    assert.equal(response.headers.get("Content-Type"), `${type}; charset=utf-8`);
    assert.equal(await response.text(), name);
  }
  await assertProblem(await app.fetch(request("/page/gone.js")), 404, "not-found");
  asked.length = 0;
  for (
    const path of [
      "",
      "index.html",
      "page.ts",
      "a/page.js",
      "..%2fapp.js",
      "Page.js",
      "page.js.map",
    ]
  ) {
    await assertProblem(await app.fetch(request(`/page/${path}`)), 404, "not-found");
  }
  assert.deepEqual(asked, []);
});
