import assert from "node:assert/strict";
import { readPicture } from "../golden_file.ts";
import { assertProblem } from "./assert_problem.ts";
import { startServer } from "./server_process.ts";
import { runTask } from "./task_command.ts";
import { makeTemporaryFolder } from "./temporary_folder.ts";

const Origin = "https://example.com";

Deno.test("deno task start asks for tokens, keeps answers, limits, and logs what it is told to", async () => {
  const storm = await readPicture("storm.jpg");
  const folder = await makeTemporaryFolder("start");
  await Deno.writeTextFile(
    new URL("tokens.txt", folder.url),
    "# phones\nfirst.token\nspare-token\n",
  );
  const server = await startServer(
    undefined,
    ...["--backend", "wasm", "--workers", "1"],
    ...["--tokens-file", `${folder.path}/tokens.txt`],
    ...["--cors-origin", "https://other.example", "--cors-origin", Origin],
    ...["--rate-limit", "6", "--trust-proxy"],
    ...["--cache-answers", "60", "--log", "json"],
  );
  try {
    const post = (token: string, from: string) =>
      fetch(`${server.url}/v1/classify?top=1`, {
        method: "POST",
        body: storm,
        headers: { Origin, Authorization: `Bearer ${token}`, "X-Forwarded-For": from },
      });

    const fresh = await post("first.token", "198.51.100.1");
    assert.equal(fresh.status, 200);
    assert.equal(fresh.headers.get("Access-Control-Allow-Origin"), Origin);
    assert.match(fresh.headers.get("Server-Timing") ?? "", /^decode;dur=/);
    const kept = await post("spare-token", "198.51.100.1");
    assert.equal(kept.status, 200);
    assert.equal(kept.headers.get("Server-Timing"), "cache;desc=hit");
    assert.equal(await kept.text(), await fresh.text());

    for (let attempt = 0; attempt < 4; attempt++) {
      await assertProblem(await post("guess", "198.51.100.1"), 401, "unauthorized");
    }
    await assertProblem(await post("spare-token", "198.51.100.1"), 429, "rate-limited");
    const elsewhere = await post("spare-token", "198.51.100.2");
    assert.equal(elsewhere.status, 200);
    await elsewhere.body?.cancel();
    assert.equal(await (await fetch(`${server.url}/healthz`)).text(), "ok");
  } finally {
    await server.stop();
    await folder.remove();
  }

  const lines = server.log().split("\n").filter((line) => line.startsWith("{"));
  const records = lines.map((line) => JSON.parse(line));
  assert.deepEqual(
    records.map(({ method, path, status, pictures, code }) => [
      `${method} ${path} ${status}`,
      pictures,
      code,
    ]),
    [
      ["POST /v1/classify 200", 1, undefined],
      ["POST /v1/classify 200", 1, undefined],
      ...Array(4).fill(["POST /v1/classify 401", 0, "unauthorized"]),
      ["POST /v1/classify 429", 0, "rate-limited"],
      ["POST /v1/classify 200", 1, undefined],
      ["GET /healthz 200", 0, undefined],
    ],
  );
  for (const { time, milliseconds } of records) {
    assert.ok(Math.abs(Date.parse(time) - Date.now()) < 600_000);
    assert.ok(milliseconds >= 0);
  }
  assert.doesNotMatch(
    server.log(),
    /first\.token|spare-token|guess|198\.51/,
    "no token, no address",
  );
});

Deno.test("deno task start may not read tokens outside the project's folder, and says who decides that", async () => {
  const outside = await Deno.makeTempFile();
  try {
    await Deno.writeTextFile(outside, "secret\n");
    const { code, stdout, stderr } = await runTask("start", ["--tokens-file", outside]);
    assert.equal(code, 1, stderr);
    assert.equal(stdout, "");
    assert.match(stderr, /^error: [^\n]+deno\.json[^\n]+\n$/);
  } finally {
    await Deno.remove(outside);
  }
});

Deno.test("deno task start says what is wrong with its options before it opens a bundle", async () => {
  const { code, stdout, stderr } = await runTask("start", [
    ...["--bundle", "no/such/bundle", "--cors-origin", "example.com"],
  ]);
  assert.equal(code, 2, stderr);
  assert.equal(stdout, "");
  assert.match(stderr, /^error: --cors-origin: [^\n]+"example\.com"[^\n]+\n$/);
});

Deno.test("deno task start --no-browser gives no weights away, and the page and the API go on", async () => {
  const server = await startServer(
    undefined,
    ...["--backend", "wasm", "--workers", "1", "--no-browser"],
  );
  try {
    for (const path of ["/v1/bundle/manifest.json", "/browser/files.json", "/browser/worker.js"]) {
      await assertProblem(await fetch(`${server.url}${path}`), 404, "not-found");
    }
    for (const path of ["/", "/page/page.js", "/v1/model"]) {
      const response = await fetch(`${server.url}${path}`);
      await response.body?.cancel();
      assert.equal(response.status, 200, path);
    }
    assert.doesNotMatch(server.log(), /page:build/);
  } finally {
    await server.stop();
  }
});
