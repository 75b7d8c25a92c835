import { readCommandLine } from "@clip-e/shared/command-line";
import assert from "node:assert/strict";
import type { AppOptions } from "../../edge/app/app.ts";
import { readAppOptions } from "../../edge/adapter/deno/app_options.ts";
import { START_COMMAND } from "../../edge/adapter/deno/start_command.ts";
import { makeTemporaryFolder } from "../e2e/temporary_folder.ts";

/** What a command line and an environment ask of the app; every request comes from `sender`. */
async function read(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
  sender = "192.0.2.1",
): Promise<AppOptions> {
  const line = readCommandLine(START_COMMAND, args, (name) => env[name]);
  assert.ok("values" in line);
  return await readAppOptions(line.values, () => sender, (name) => env[name]);
}

function asked(headers: HeadersInit = {}): Request {
  return new Request("http://localhost/v1/model", { headers });
}

Deno.test("readAppOptions() leaves everything open, unlimited, unkept and unlogged by default", async () => {
  const { tokens, corsOrigin, rateLimit, answerCache, onRequest } = await read([]);
  assert.deepEqual([tokens, corsOrigin, rateLimit, answerCache, onRequest], [
    undefined,
    [],
    undefined,
    undefined,
    undefined,
  ]);
});

Deno.test("readAppOptions() takes tokens from a file or from the environment", async () => {
  const folder = await makeTemporaryFolder("tokens");
  try {
    const file = `${folder.path}/tokens.txt`;
    await Deno.writeTextFile(new URL("tokens.txt", folder.url), "# phones\none\n\ntwo\n");
    assert.deepEqual((await read(["--tokens-file", file])).tokens, ["one", "two"]);
    assert.deepEqual((await read([], { CLIP_E_TOKENS_FILE: file })).tokens, ["one", "two"]);
    assert.deepEqual((await read([], { CLIP_E_TOKENS: "three, four" })).tokens, ["three", "four"]);
    await assert.rejects(read(["--tokens-file", file], { CLIP_E_TOKENS: "three" }), {
      name: "UsageError",
      message: /one of the two/,
    });
    await Deno.writeTextFile(new URL("tokens.txt", folder.url), "\n# none\n");
    await assert.rejects(read(["--tokens-file", file]), { name: "UsageError", message: /empty/ });
  } finally {
    await folder.remove();
  }
  await assert.rejects(read(["--tokens-file", "no/such.txt"]), {
    name: "UsageError",
    message: /no\/such\.txt/,
  });
  for (const CLIP_E_TOKENS of ["", "two words"]) {
    await assert.rejects(read([], { CLIP_E_TOKENS }), {
      name: "UsageError",
      message: /^CLIP_E_TOKENS in the environment: /,
    });
  }
});

Deno.test("readAppOptions() takes origins one by one, or as a list from the environment", async () => {
  const origins = ["https://a.example", "http://localhost:3000"];
  const args = origins.flatMap((origin) => ["--cors-origin", origin]);
  assert.deepEqual((await read(args)).corsOrigin, origins);
  const CLIP_E_CORS_ORIGIN = origins.join(", ");
  assert.deepEqual((await read([], { CLIP_E_CORS_ORIGIN })).corsOrigin, origins);
  await assert.rejects(read(["--cors-origin", "a.example"]), {
    name: "UsageError",
    message: /^--cors-origin: .*"a\.example"/,
  });
});

Deno.test("readAppOptions() limits each address by itself, a proxy's too unless it is trusted", async () => {
  const one = asked({ "X-Forwarded-For": "198.51.100.1" });
  const other = asked({ "X-Forwarded-For": "198.51.100.1, 198.51.100.2" });
  const answers = async (options: AppOptions) => {
    assert.ok(options.rateLimit);
    return [await options.rateLimit(one), await options.rateLimit(other)];
  };
  const limit = ["--rate-limit", "1"];
  assert.deepEqual(await answers(await read(limit)), [true, false]);
  assert.deepEqual(await answers(await read([...limit, "--trust-proxy"])), [true, true]);
  const env = { CLIP_E_RATE_LIMIT: "1", CLIP_E_TRUST_PROXY: "true" };
  assert.deepEqual(await answers(await read([], env)), [true, true]);

  const trusting = await read([...limit, "--trust-proxy"]);
  assert.deepEqual(await trusting.rateLimit?.(asked()), true, "without the header, the sender");
  assert.deepEqual(await trusting.rateLimit?.(asked()), false);
});

Deno.test("readAppOptions() keeps answers for so many seconds", async () => {
  assert.equal((await read(["--cache-answers", "60"])).answerCache?.ttl, 60);
  assert.equal((await read([], { CLIP_E_CACHE_ANSWERS: "5" })).answerCache?.ttl, 5);
});

Deno.test("readAppOptions() logs as text or json, and nothing else", async () => {
  for (const format of ["text", "json"]) {
    assert.ok((await read(["--log", format])).onRequest);
    assert.ok((await read([], { CLIP_E_LOG: format })).onRequest);
  }
  assert.equal((await read(["--log", "none"])).onRequest, undefined);
  await assert.rejects(read(["--log", "xml"]), {
    name: "UsageError",
    message: '--log must be text, json or none, got "xml"',
  });
});
