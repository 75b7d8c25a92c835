import assert from "node:assert/strict";
import { readPicture } from "../golden_file.ts";
import { makeSyntheticBundle, writeBundleFiles } from "../synthetic_bundle.ts";
import { assertProblem, assertProblemObject } from "./assert_problem.ts";
import { classifyOverHttp } from "./classify_over_http.ts";
import { chunk, openRequest, readResponse, writeAll } from "./raw_http.ts";
import { type ServerProcess, startServer } from "./server_process.ts";
import { makeTemporaryFolder } from "./temporary_folder.ts";
import { pictureForm, readResults, testUploads } from "./upload_suite.ts";

const MAX_BYTES = 300_000;
const MAX_PIXELS = 500_000;
const UPLOAD_TIMEOUT = 1_500;

const folder = await makeTemporaryFolder("upload");
const storm = await readPicture("storm.jpg");
/** As users start it. */
let server: ServerProcess;
/** With limits that tests can reach. */
let strict: ServerProcess;

Deno.test.beforeAll(async () => {
  const { files } = await makeSyntheticBundle();
  await writeBundleFiles(files, folder.url);
  [server, strict] = await Promise.all([
    startServer(folder.path, "--workers", "2", "--backend", "wasm"),
    startServer(
      folder.path,
      ...["--workers", "1"],
      ...["--max-bytes", String(MAX_BYTES)],
      ...["--max-pictures", "2"],
      ...["--max-pixels", String(MAX_PIXELS)],
      ...["--upload-timeout", String(UPLOAD_TIMEOUT)],
    ),
  ]);
});
Deno.test.afterAll(async () => {
  await Promise.all([server?.stop(), strict?.stop()]);
  await folder.remove();
});

testUploads({ name: "the server", url: () => server.url });

function post(body: BodyInit, headers: HeadersInit = {}, to = server): Promise<Response> {
  return fetch(`${to.url}/v1/classify`, { method: "POST", body, headers });
}

Deno.test("a server may be told to take fewer pictures", async () => {
  const two = await readResults(await post(await pictureForm("small.jpg", "grey.png"), {}, strict));
  assert.equal(two.length, 2);
  const three = await post(await pictureForm("small.jpg", "grey.png", "rgba.png"), {}, strict);
  assert.match(await assertProblem(three, 400, "too-many-pictures"), /3.*2/);
});

Deno.test("an upload that states too great a length is refused before it is sent", async () => {
  const connection = await openRequest(strict.port, [
    "POST /v1/classify HTTP/1.1",
    "Host: localhost",
    `Content-Length: ${MAX_BYTES + 1}`,
  ]);
  const { status, body } = await readResponse(connection);
  connection.close();
  assert.equal(status, 413);
  const detail = assertProblemObject(JSON.parse(body), 413, "too-many-bytes");
  assert.ok(detail.includes(String(MAX_BYTES)), detail);
});

Deno.test("an upload without a length is refused as soon as it is too long", async () => {
  const connection = await openRequest(strict.port, [
    "POST /v1/classify HTTP/1.1",
    "Host: localhost",
    "Transfer-Encoding: chunked",
  ]);
  // It never ends: the answer cannot wait for its end.
  const piece = chunk(new Uint8Array(50_000));
  for (let sent = 0; sent <= MAX_BYTES; sent += 50_000) await writeAll(connection, piece);
  const { status, body } = await readResponse(connection);
  connection.close();
  assert.equal(status, 413);
  assertProblemObject(JSON.parse(body), 413, "too-many-bytes");
});

Deno.test("an upload without a length is answered when it is not too long", async () => {
  const connection = await openRequest(strict.port, [
    "POST /v1/classify HTTP/1.1",
    "Host: localhost",
    "Transfer-Encoding: chunked",
  ]);
  const picture = await readPicture("small.jpg");
  for (let at = 0; at < picture.length; at += 1000) {
    await writeAll(connection, chunk(picture.subarray(at, at + 1000)));
  }
  await writeAll(connection, new TextEncoder().encode("0\r\n\r\n"));
  const { status, body } = await readResponse(connection);
  connection.close();
  assert.equal(status, 200, body);
  assert.deepEqual(JSON.parse(body).image, { width: 97, height: 61 });
});

Deno.test("an upload of exactly the allowed length is read, one byte more is not", async () => {
  const padded = new Uint8Array(MAX_BYTES + 1);
  padded.set(await readPicture("small.jpg"));
  const response = await post(padded.slice(0, MAX_BYTES), {}, strict);
  await response.body?.cancel();
  assert.equal(response.status, 200, "bytes after a JPEG's end are not looked at");
  await assertProblem(await post(padded, {}, strict), 413, "too-many-bytes");
});

Deno.test("an upload that trickles or stops is given up", async () => {
  const picture = await readPicture("small.jpg");
  const start = performance.now();
  const stopped = await openRequest(strict.port, [
    "POST /v1/classify HTTP/1.1",
    "Host: localhost",
    `Content-Length: ${picture.length}`,
  ]);
  await writeAll(stopped, picture.subarray(0, 1000));
  const trickling = await openRequest(strict.port, [
    "POST /v1/classify HTTP/1.1",
    "Host: localhost",
    "Transfer-Encoding: chunked",
  ]);
  const trickle = setInterval(() => {
    writeAll(trickling, chunk(Uint8Array.of(0))).catch(() => {});
  }, 100);
  try {
    for (const connection of [stopped, trickling]) {
      const { status, body } = await readResponse(connection);
      assert.equal(status, 408);
      const detail = assertProblemObject(JSON.parse(body), 408, "upload-timeout");
      assert.match(detail, /1\.5 seconds/);
    }
  } finally {
    clearInterval(trickle);
    stopped.close();
    trickling.close();
  }
  assert.ok(performance.now() - start >= UPLOAD_TIMEOUT);
});

Deno.test("an upload that is broken off leaves the server well", async () => {
  for (let i = 0; i < 5; i++) {
    const connection = await openRequest(strict.port, [
      "POST /v1/classify HTTP/1.1",
      "Host: localhost",
      `Content-Length: ${storm.length}`,
    ]);
    await writeAll(connection, storm.subarray(0, 5000));
    connection.close();
  }
  const { image } = await classifyOverHttp(strict.url, await readPicture("small.jpg"));
  assert.deepEqual(image, { width: 97, height: 61 });
  assert.doesNotMatch(strict.log(), /error/i);
});

Deno.test("a picture of more pixels than allowed is refused by its header", async () => {
  const detail = await assertProblem(await post(storm, {}, strict), 422, "too-many-pixels");
  assert.match(detail, /1024 x 683.*500000/);
});
