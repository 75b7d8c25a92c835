import { ClipEError } from "@clip-e/shared";
import assert from "node:assert/strict";
import { folderSource } from "../../edge/adapter/deno/folder_source.ts";
import { createClassifier } from "../../edge/classifier.ts";
import { readPicture } from "../golden_file.ts";
import { makeSyntheticBundle, writeBundleFiles } from "../synthetic_bundle.ts";
import { assertProblem } from "./assert_problem.ts";
import { classifyOverHttp } from "./classify_over_http.ts";
import { makeLargePng } from "./large_png.ts";
import { openRequest, readResponse, writeAll } from "./raw_http.ts";
import { startServer } from "./server_process.ts";
import { runTask } from "./task_command.ts";
import { makeTemporaryFolder } from "./temporary_folder.ts";

const folder = await makeTemporaryFolder("load");
const small = await readPicture("small.jpg");

Deno.test.beforeAll(async () => {
  await writeBundleFiles((await makeSyntheticBundle()).files, folder.url);
});
Deno.test.afterAll(() => folder.remove());

Deno.test("a flood is turned away with 503 and Retry-After, and then the server answers again", async () => {
  const server = await startServer(folder.path, "--workers", "1", "--max-queue", "1");
  try {
    const slow = await makeLargePng(4000, 4000);
    const flood = Array.from({ length: 12 }, async () => {
      const response = await fetch(`${server.url}/v1/classify`, { method: "POST", body: slow });
      if (response.status === 200) return await response.text().then(() => 200);
      assert.equal(response.headers.get("Retry-After"), "1");
      await assertProblem(response, 503, "queue-full");
      return 503;
    });
    const statuses = await Promise.all(flood);
    const answered = statuses.filter((status) => status === 200).length;
    assert.ok(answered >= 2, "one in work and one in the queue are answered");
    assert.ok(answered < statuses.length, "not all had room");
    const { image } = await classifyOverHttp(server.url, small);
    assert.deepEqual(image, { width: 97, height: 61 });
  } finally {
    await server.stop();
  }
});

Deno.test("uploads that together hold too many bytes are turned away, until there is room again", async () => {
  const server = await startServer(
    folder.path,
    ...["--workers", "1"],
    ...["--max-bytes-in-flight", "100000"],
  );
  // Bytes after a JPEG's end are not looked at.
  const padded = new Uint8Array(60_000);
  padded.set(small);
  const post = () => fetch(`${server.url}/v1/classify`, { method: "POST", body: padded });
  const stopped = await openRequest(server.port, [
    "POST /v1/classify HTTP/1.1",
    "Host: localhost",
    `Content-Length: ${padded.length}`,
  ]);
  try {
    await writeAll(stopped, padded.subarray(0, 50_000));
    await new Promise((resolve) => setTimeout(resolve, 200));
    const response = await post();
    assert.equal(response.headers.get("Retry-After"), "1");
    await assertProblem(response, 503, "queue-full");

    await writeAll(stopped, padded.subarray(50_000));
    assert.equal((await readResponse(stopped)).status, 200);
    const later = await post();
    await later.body?.cancel();
    assert.equal(later.status, 200);
  } finally {
    stopped.close();
    await server.stop();
  }
});

Deno.test("good and bad pictures at once are each answered as they are alone", async () => {
  const good = ["storm.jpg", "rgba.png", "lossy.webp", "exif_6.jpg", "interlaced.png", "tall.jpg"];
  const bad = ["corrupt.png", "truncated.jpg", "cmyk.jpg", "notes.txt", "truncated.webp"];
  const names = [...good, ...bad.map((name) => `bad/${name}`)];
  const library = await createClassifier({ bundle: folderSource(folder.path) });
  const expected = new Map<string, unknown>();
  for (const name of names) {
    const outcome = await library.classify(await readPicture(name)).then(
      ({ image, predictions }) => ({ image, predictions }),
      (error) => error instanceof ClipEError ? error.code : error,
    );
    expected.set(name, outcome);
  }
  await library.close();

  const server = await startServer(
    folder.path,
    ...["--workers", "2", "--max-queue", "4", "--backend", "wasm"],
  );
  const todo = Array.from({ length: 60 }, (_, i) => names[(i * 7) % names.length]);
  let answered = 0;
  const lane = async () => {
    for (let name = todo.pop(); name !== undefined; name = todo.pop()) {
      const body = await readPicture(name);
      const response = await fetch(`${server.url}/v1/classify`, { method: "POST", body });
      const { code, image, predictions } = await response.json();
      if (code === "queue-full") {
        assert.equal(response.status, 503);
        todo.unshift(name);
        await new Promise((resolve) => setTimeout(resolve, 20));
      } else {
        assert.deepEqual(response.ok ? { image, predictions } : code, expected.get(name), name);
        answered++;
      }
    }
  };
  try {
    await Promise.all(Array.from({ length: 8 }, lane));
    assert.equal(answered, 60);
    assert.doesNotMatch(server.log(), /error/i);
  } finally {
    await server.stop();
  }
});

Deno.test("a caller who hangs up before the answer takes nobody's place for long", async () => {
  const server = await startServer(folder.path, "--workers", "1", "--max-queue", "0");
  try {
    const caller = new AbortController();
    const answer = fetch(`${server.url}/v1/classify`, {
      method: "POST",
      body: await makeLargePng(7000, 7000),
      signal: caller.signal,
    });
    setTimeout(() => caller.abort(), 100);
    await assert.rejects(answer, { name: "AbortError" });
    const limit = performance.now() + 20_000;
    let status = 0;
    while (status !== 200 && performance.now() < limit) {
      const response = await fetch(`${server.url}/v1/classify`, { method: "POST", body: small });
      await response.body?.cancel();
      status = response.status;
    }
    assert.equal(status, 200);
    assert.doesNotMatch(server.log(), /error/i);
  } finally {
    await server.stop();
  }
});

Deno.test("Ctrl-C lets the requests in flight finish, takes no more and ends with 0", async () => {
  const server = await startServer(folder.path, "--workers", "1", "--max-queue", "0");
  const post = async (body: Uint8Array<ArrayBuffer>) => {
    const response = await fetch(`${server.url}/v1/classify?top=1`, { method: "POST", body });
    return { status: response.status, answer: await response.json() };
  };
  let isAnswered = false;
  const slow = post(await makeLargePng(7000, 7000)).finally(() => isAnswered = true);
  const knock = await readPicture("bad/notes.txt");
  try {
    // It is in work when there is no room for another, even one that is refused by its first bytes.
    let status = 0;
    while (status !== 503 && !isAnswered) {
      await new Promise((resolve) => setTimeout(resolve, 50));
      status = (await post(knock)).status;
    }
    assert.ok(!isAnswered);
  } finally {
    const { success, code, signal } = await server.stop();
    assert.deepEqual({ success, code, signal }, { success: true, code: 0, signal: null });
  }
  const { status, answer } = await slow;
  assert.equal(status, 200);
  assert.equal(answer.image.width, 7000);
  await assert.rejects(fetch(`${server.url}/healthz`), TypeError);
});

Deno.test("Ctrl-C on an idle server ends it at once with 0", async () => {
  const server = await startServer(folder.path, "--workers", "1");
  const start = performance.now();
  const { code } = await server.stop();
  assert.equal(code, 0);
  assert.ok(performance.now() - start < 5_000);
});

Deno.test("a port in use is told in one line", async () => {
  const server = await startServer(folder.path, "--workers", "1");
  try {
    const { code, stderr } = await runTask("start", [
      ...["--bundle", folder.path],
      ...["--workers", "1"],
      ...["--port", String(server.port)],
    ]);
    assert.equal(code, 1);
    assert.match(stderr, /^error: [^\n]*port[^\n]*\n$/);
  } finally {
    await server.stop();
  }
});
