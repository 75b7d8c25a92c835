import { ClipEError, MANIFEST_PATH, openBundle, sha256 } from "@clip-e/shared";
import assert from "node:assert/strict";
import { createClassifier } from "../../edge/classifier.ts";
import type { CacheLike } from "../../edge/http/file_cache.ts";
import { type FileProgress, httpSource, type HttpSourceOptions } from "../../edge/http_source.ts";
import { readPicture } from "../golden_file.ts";
import { makeSyntheticBundle } from "../synthetic_bundle.ts";
import { cutAfter, type Fault, partOf, withServer } from "./faulty_server.ts";

const { files } = await makeSyntheticBundle();
const ENCODER = "encoder.onnx";
const encoder = files.get(ENCODER) ?? new Uint8Array();
const manifestBytes = files.get(MANIFEST_PATH) ?? new Uint8Array();
const digest = `sha256:${await sha256(manifestBytes)}`;
const noFault: Fault = () => undefined;
/** So that tests do not wait. */
const FAST: HttpSourceOptions = { retryDelay: 1, retries: 2 };

/** A fault of the encoder alone. */
const ofEncoder = (fault: Fault): Fault => (path, ...rest) =>
  path === ENCODER ? fault(path, ...rest) : undefined;

/** Opens a bundle as a classifier does, and reads its encoder. */
async function readEncoder(url: string | URL, options: HttpSourceOptions = {}) {
  const bundle = await openBundle(httpSource(url, { ...FAST, ...options }));
  return await bundle.readEncoder(bundle.manifest.encoders[0]);
}

/** Asserts that something is refused with a sentence. */
async function assertUnusable(promise: Promise<unknown>, sentence: RegExp): Promise<void> {
  await assert.rejects(promise, (error) => {
    assert.ok(error instanceof ClipEError, String(error));
    assert.equal(error.code, "invalid-bundle");
    assert.match(error.message, sentence);
    return true;
  });
}

/** The web's cache, in memory. */
class MemoryCache implements CacheLike {
  readonly kept = new Map<string, Uint8Array<ArrayBuffer>>();
  match(key: string) {
    const bytes = this.kept.get(key);
    return Promise.resolve(bytes && new Response(bytes));
  }
  async put(key: string, answer: Response) {
    this.kept.set(key, new Uint8Array(await answer.arrayBuffer()));
  }
  delete(key: string) {
    return Promise.resolve(this.kept.delete(key));
  }
  keys() {
    return Promise.resolve(Array.from(this.kept.keys(), (key) => new Request(key)));
  }
  keyOf(path: string) {
    return [...this.kept.keys()].find((key) => key.includes(`/${path}?`)) ?? "";
  }
}

Deno.test("createClassifier() opens a bundle by its URL, pinned or not", async () => {
  await withServer(files, noFault, async ({ url }) => {
    const local = await createClassifier({
      bundle: { read: (path) => Promise.resolve(files.get(path)) },
    });
    const expected = await local.classify(await readPicture("small.jpg"));
    for (const bundle of [url, new URL(url), `${url}manifest.json`]) {
      const classifier = await createClassifier({ bundle, digest });
      assert.deepEqual(classifier.model, local.model);
      const { predictions } = await classifier.classify(await readPicture("small.jpg"));
      assert.deepEqual(predictions, expected.predictions);
      await classifier.close();
    }
    await local.close();
    await assertUnusable(
      createClassifier({ bundle: url, digest: `sha256:${"0".repeat(64)}` }),
      /^Cannot use http:.*manifest\.json: its SHA-256 is [0-9a-f]{64}, the one that is pinned is 0{64}/,
    );
  });
});

Deno.test("createClassifier() names the URL where there is no bundle", async () => {
  await withServer(new Map(), noFault, async ({ url }) => {
    await assertUnusable(
      createClassifier({ bundle: url }),
      /there is no manifest\.json in http:\/\/127\.0\.0\.1:\d+\/$/,
    );
  });
});

Deno.test("httpSource() has nothing for files that the server does not have", async () => {
  const gone: Fault = (path) => path === "gone" ? new Response("", { status: 410 }) : undefined;
  await withServer(files, gone, async ({ url, requests }) => {
    const source = httpSource(url, FAST);
    assert.equal(await source.read("nothing"), undefined);
    assert.equal(await source.read("gone"), undefined);
    assert.equal(requests.length, 2);
  });
});

Deno.test("httpSource() refuses what is not a web address, before any work", () => {
  for (const url of ["fixtures/bundles/tiny", "file:///bundle", "ftp://me:secret@host/"]) {
    assert.throws(() => httpSource(url), (error) => {
      assert.ok(error instanceof TypeError);
      assert.match(error.message, /^Cannot read a bundle from ".*": it is no http.*folderSource/);
      assert.doesNotMatch(error.message, /secret/);
      return true;
    });
  }
});

Deno.test("httpSource() asks again after 500, 429 and 503, as late as Retry-After says", async () => {
  const answers = [
    new Response("", { status: 500 }),
    new Response("", { status: 429, headers: { "Retry-After": "0" } }),
    new Response("", { status: 503, headers: { "Retry-After": "1" } }),
  ];
  await withServer(files, ofEncoder(() => answers.shift()), async ({ url, count }) => {
    const start = performance.now();
    assert.deepEqual(await readEncoder(url, { retries: 3 }), encoder);
    assert.equal(count(ENCODER), 4);
    assert.ok(performance.now() - start >= 1000);
  });
});

Deno.test("httpSource() gives up after its retries, and at once where waiting would take too long", async () => {
  const busy = ofEncoder(() => new Response("", { status: 503 }));
  await withServer(files, busy, async ({ url, count }) => {
    await assertUnusable(
      readEncoder(url),
      /^Cannot read http:.*\/encoder\.onnx: the server answered 503 .*, at the last of 3 attempts$/,
    );
    assert.equal(count(ENCODER), 3);
  });
  const later = ofEncoder(() =>
    new Response("", { status: 503, headers: { "Retry-After": "3600" } })
  );
  await withServer(files, later, async ({ url, count }) => {
    await assertUnusable(readEncoder(url), /503 .*wants to be asked in 3600 seconds/);
    assert.equal(count(ENCODER), 1);
  });
});

Deno.test("httpSource() does not ask again where nothing would change", async () => {
  const forbidden = ofEncoder(() => new Response("", { status: 403 }));
  await withServer(files, forbidden, async ({ url, count }) => {
    await assertUnusable(
      readEncoder(url),
      /answered 403 Forbidden: does the request need a header/,
    );
    assert.equal(count(ENCODER), 1);
  });
});

Deno.test("httpSource() takes up a download that broke off, where the server knows ranges", async () => {
  const cut = ofEncoder((_, bytes, request, times) => {
    if (times === 2) return new Response("", { status: 503 });
    return bytes && (partOf(bytes, request) ?? cutAfter(bytes, 1000));
  });
  await withServer(files, cut, async ({ url, requests, count }) => {
    assert.deepEqual(await readEncoder(url), encoder);
    assert.equal(count(ENCODER), 3);
    assert.match(requests.at(-1)?.headers.get("Range") ?? "", /^bytes=[1-9]\d*-$/);
  });
});

Deno.test("httpSource() begins again, where the server does not know ranges", async () => {
  const cut = ofEncoder((_, bytes, _request, times) =>
    bytes && times === 1 ? cutAfter(bytes, 1000) : undefined
  );
  await withServer(files, cut, async ({ url, requests, count }) => {
    assert.deepEqual(await readEncoder(url), encoder);
    assert.equal(count(ENCODER), 2);
    assert.match(requests.at(-1)?.headers.get("Range") ?? "", /^bytes=[1-9]\d*-$/);
  });
});

Deno.test("httpSource() fetches a file anew that changed between its pieces, or cannot be taken up", async () => {
  const other = encoder.map((byte) => byte ^ 1);
  const changed = ofEncoder((_, bytes, request, times) => {
    if (times === 1) return cutAfter(other, 1000);
    return bytes && partOf(bytes, request);
  });
  await withServer(files, changed, async ({ url, count }) => {
    assert.deepEqual(await readEncoder(url), encoder);
    assert.equal(count(ENCODER), 3);
  });
  const refused = ofEncoder((_, bytes, request, times) => {
    if (times === 1) return bytes && cutAfter(bytes, 1000);
    return request.headers.has("Range") ? new Response("", { status: 416 }) : undefined;
  });
  await withServer(files, refused, async ({ url, count }) => {
    assert.deepEqual(await readEncoder(url), encoder);
    assert.equal(count(ENCODER), 3);
  });
  const wrongPart = ofEncoder((_, bytes, request, times) => {
    if (times === 1) return bytes && cutAfter(bytes, 1000);
    const headers = { "Content-Range": `bytes 0-9/${encoder.length}` };
    return request.headers.has("Range")
      ? new Response(encoder.slice(0, 10), { status: 206, headers })
      : undefined;
  });
  await withServer(files, wrongPart, async ({ url, count }) => {
    assert.deepEqual(await readEncoder(url), encoder);
    assert.equal(count(ENCODER), 3);
  });
});

Deno.test("httpSource() finds a file that is shorter or longer than its manifest says", async () => {
  const short = ofEncoder(() => new Response(encoder.slice(0, 10)));
  await withServer(files, short, async ({ url, count }) => {
    await assertUnusable(
      readEncoder(url),
      new RegExp(`the download ended after 10 of ${encoder.length} bytes, at the last of 3`),
    );
    assert.equal(count(ENCODER), 3);
  });
  const long = ofEncoder(() => new Response(new Uint8Array(encoder.length + 1)));
  await withServer(files, long, async ({ url, count }) => {
    await assertUnusable(readEncoder(url), /it is longer than \d+ bytes$/);
    assert.equal(count(ENCODER), 1);
  });
});

Deno.test("httpSource() fetches a manifest anew that broke off", async () => {
  const cut: Fault = (path, bytes, _, times) =>
    path === MANIFEST_PATH && bytes && times === 1 ? cutAfter(bytes, 100) : undefined;
  await withServer(files, cut, async ({ url, requests }) => {
    assert.deepEqual(await httpSource(url, FAST).read(MANIFEST_PATH), manifestBytes);
    assert.ok(requests.every(({ headers }) => !headers.has("Range")));
  });
});

Deno.test("httpSource() reads files that come compressed", async () => {
  const zipped: Fault = (_, bytes) =>
    bytes && new Response(
      new Blob([bytes]).stream().pipeThrough(new CompressionStream("gzip")),
      { headers: { "Content-Encoding": "gzip" } },
    );
  await withServer(files, zipped, async ({ url }) => {
    assert.deepEqual(await readEncoder(url), encoder);
  });
});

Deno.test("httpSource() refuses a file whose hash is another", async () => {
  const altered = ofEncoder(() => new Response(encoder.map((byte) => byte ^ 1)));
  await withServer(files, altered, async ({ url, count }) => {
    await assertUnusable(
      readEncoder(url),
      /^Cannot use http:.*\/encoder\.onnx: its SHA-256 is .*, the one in its manifest is /,
    );
    assert.equal(count(ENCODER), 1);
  });
  // A head that is damaged costs its methods alone.
  const damaged: Fault = (path, bytes) =>
    path === "heads/primary.safetensors" && bytes
      ? new Response(bytes.map((byte) => byte ^ 1))
      : undefined;
  await withServer(files, damaged, async ({ url }) => {
    const { faults, heads } = await openBundle(httpSource(url, FAST));
    assert.deepEqual(faults.map(({ part, fault }) => [part, fault]), [[
      "heads/primary",
      "invalid",
    ]]);
    assert.ok(!heads.has("primary") && heads.has("polarity"));
  });
});

Deno.test("httpSource() does not wait for a server that falls silent, before or in its answer", async () => {
  for (
    const silent of [
      () => new Promise<Response>((resolve) => setTimeout(() => resolve(new Response()), 700)),
      () => {
        let timer: ReturnType<typeof setTimeout>;
        return new Response(
          new ReadableStream({
            start(controller) {
              controller.enqueue(encoder.slice(0, 10));
              timer = setTimeout(() => controller.close(), 700);
            },
            cancel: () => clearTimeout(timer),
          }),
        );
      },
    ]
  ) {
    await withServer(files, ofEncoder(silent), async ({ url }) => {
      await assertUnusable(
        readEncoder(url, { timeout: 300, retries: 0 }),
        /the server was silent for 0\.3 seconds, at the only attempt$/,
      );
    });
  }
});

Deno.test("httpSource() waits for a server that is slow, but not silent", async () => {
  const pieces = 5;
  const slow = ofEncoder((_, bytes) => {
    let piece = 0;
    const size = Math.ceil(encoder.length / pieces);
    return new Response(
      new ReadableStream({
        async pull(controller) {
          await new Promise((resolve) => setTimeout(resolve, 120));
          controller.enqueue(bytes?.slice(piece * size, ++piece * size));
          if (piece === pieces) controller.close();
        },
      }),
    );
  });
  await withServer(files, slow, async ({ url }) => {
    assert.deepEqual(await readEncoder(url, { timeout: 500, retries: 0 }), encoder);
  });
});

Deno.test("httpSource() says that a server cannot be reached, and gives nothing secret away", async () => {
  let url = "";
  await withServer(files, noFault, (server) => {
    url = server.url;
    return Promise.resolve();
  });
  const secret = url.replace("//", "//me:pass%20word@") + "?signature=hidden";
  await assert.rejects(readEncoder(secret), (error) => {
    assert.ok(error instanceof ClipEError);
    assert.match(error.message, /^Cannot read http:\/\/127[^?@]*\/manifest\.json: the connection/);
    assert.doesNotMatch(Deno.inspect(error), /pass|hidden/);
    return true;
  });
});

Deno.test("httpSource() sends headers, a URL's credentials and its query with every file", async () => {
  await withServer(files, noFault, async ({ url, requests }) => {
    const secret = url.replace("//", "//me:p%C3%A4ss@") + "?signature=1";
    const source = httpSource(secret, { ...FAST, headers: { "X-Key": "2" } });
    await openBundle(source);
    assert.equal(source.location, url);
    assert.ok(requests.length > 5);
    for (const { headers, url } of requests) {
      assert.equal(headers.get("Authorization"), "Basic bWU6cMOkc3M=");
      assert.equal(headers.get("X-Key"), "2");
      assert.equal(new URL(url).search, "?signature=1");
    }
  });
});

Deno.test("httpSource() follows redirects", async () => {
  const moved: Fault = (path, _, request) =>
    path.startsWith("latest/")
      ? Response.redirect(new URL(path.replace("latest/", "/"), request.url))
      : undefined;
  await withServer(files, moved, async ({ url, count }) => {
    assert.deepEqual(await readEncoder(`${url}latest`), encoder);
    assert.equal(count(`latest/${ENCODER}`), 1);
  });
});

Deno.test("httpSource() tells how far each file has come", async () => {
  await withServer(files, noFault, async ({ url }) => {
    const heard: FileProgress[] = [];
    await readEncoder(url, { onProgress: (progress) => heard.push(progress) });
    const ofPath = (path: string) => heard.filter((progress) => progress.path === path);
    assert.ok(ofPath(ENCODER).every(({ total }) => total === encoder.length));
    assert.deepEqual(
      ofPath(ENCODER).map(({ bytes }) => bytes),
      ofPath(ENCODER).map(({ bytes }) => bytes).toSorted((a, b) => a - b),
    );
    for (const path of [ENCODER, MANIFEST_PATH]) {
      const total = files.get(path)?.length;
      assert.deepEqual(ofPath(path).at(-1), { path, bytes: total, total, isCached: false });
    }
  });
});

Deno.test("httpSource() ends when its signal aborts, with the signal's reason", async () => {
  await withServer(files, noFault, async ({ url }) => {
    const controller = new AbortController();
    const reason = new Error("the page was left");
    const onProgress = ({ path }: FileProgress) => path === ENCODER && controller.abort(reason);
    await assert.rejects(
      readEncoder(url, { signal: controller.signal, onProgress: (p) => void onProgress(p) }),
      reason,
    );
  });
  const down = () => Promise.reject(new Error("down"));
  const signal = AbortSignal.timeout(50);
  await assert.rejects(
    httpSource("https://a.invalid/", { fetch: down, retryDelay: 10_000, signal }).read("b"),
    { name: "TimeoutError" },
  );
});

Deno.test("httpSource() keeps checked files, and asks the server only for the manifest again", async () => {
  await withServer(files, noFault, async ({ url, requests, forget }) => {
    const cache = new MemoryCache();
    await readEncoder(`${url}?signature=1`, { cache });
    assert.match(cache.keyOf(ENCODER), /\/encoder\.onnx\?sha256=[0-9a-f]{64}$/);
    assert.equal(cache.keyOf(MANIFEST_PATH), "");
    forget();
    const heard: FileProgress[] = [];
    const onProgress = (progress: FileProgress) => heard.push(progress);
    assert.deepEqual(await readEncoder(`${url}?signature=2`, { cache, onProgress }), encoder);
    assert.deepEqual(requests.map(({ url }) => new URL(url).pathname), ["/manifest.json"]);
    const total = encoder.length;
    assert.deepEqual(heard.at(-1), { path: ENCODER, bytes: total, total, isCached: true });
  });
});

Deno.test("httpSource() needs no network for a bundle that is kept, when its digest is pinned", async () => {
  const cache = new MemoryCache();
  let url = "";
  await withServer(files, noFault, async (server) => {
    url = server.url;
    await readEncoder(url, { cache, digest });
  });
  assert.deepEqual(await readEncoder(url, { cache, digest }), encoder);
  await assertUnusable(readEncoder(url, { cache }), /Cannot read .*manifest\.json/);
});

Deno.test("httpSource() drops a kept file that is damaged, and fetches it again", async () => {
  await withServer(files, noFault, async ({ url, count }) => {
    const cache = new MemoryCache();
    await readEncoder(url, { cache });
    const key = cache.keyOf(ENCODER);
    cache.kept.set(key, encoder.slice(0, 100));
    assert.deepEqual(await readEncoder(url, { cache }), encoder);
    assert.equal(count(ENCODER), 2);
    assert.deepEqual(cache.kept.get(key), encoder);
  });
});

Deno.test("httpSource() keeps nothing that failed its check", async () => {
  const altered = ofEncoder(() => new Response(encoder.map((byte) => byte ^ 1)));
  await withServer(files, altered, async ({ url }) => {
    const cache = new MemoryCache();
    await assertUnusable(readEncoder(url, { cache }), /SHA-256/);
    assert.equal(cache.keyOf(ENCODER), "");
  });
});

Deno.test("httpSource() takes a new version's files, and lets go of the old ones", async () => {
  const cache = new MemoryCache();
  const next = await makeSyntheticBundle({ seed: 2 });
  const served = new Map(files);
  await withServer(served, noFault, async ({ url }) => {
    await readEncoder(url, { cache });
    const count = cache.kept.size;
    next.files.forEach((bytes, path) => served.set(path, bytes));
    assert.deepEqual(await readEncoder(url, { cache }), next.files.get(ENCODER));
    assert.equal(cache.kept.size, count);
    assert.deepEqual(cache.kept.get(cache.keyOf(ENCODER)), next.files.get(ENCODER));
  });
});

Deno.test("httpSource() goes without a cache that does not work", async () => {
  const fail = () => Promise.reject(new Error("full"));
  await withServer(files, noFault, async ({ url }) => {
    const cache = { match: fail, put: fail, delete: fail, keys: fail };
    assert.deepEqual(await readEncoder(url, { cache }), encoder);
  });
});

Deno.test("httpSource() keeps files in the runtime's own cache", async () => {
  await withServer(files, noFault, async ({ url, count }) => {
    await readEncoder(url, { cache: "default" });
    assert.deepEqual(await readEncoder(url, { cache: "default" }), encoder);
    assert.equal(count(ENCODER), 1);
    const kept = await caches.open("clip-e");
    for (const { url: key } of await kept.keys()) if (key.startsWith(url)) await kept.delete(key);
  });
});

Deno.test({
  name: "httpSource() says at once that this process may not reach the server",
  permissions: { net: false },
  async fn() {
    await assertUnusable(
      httpSource("https://a.invalid/", { retryDelay: 60_000 }).read(MANIFEST_PATH),
      /^Cannot read https:\/\/a\.invalid\/manifest\.json: Requires net access .*--allow-net/,
    );
  },
});
