/**
 * What the container file says, as far as it can be tried without a container: the command that it starts, with the
 * permissions that it grants, its health check, and the files that it copies.
 */

import assert from "node:assert/strict";
import { readPicture } from "../golden_file.ts";
import { classifyOverHttp } from "./classify_over_http.ts";
import { readCall, ROOT } from "./task_command.ts";

const text = await Deno.readTextFile(new URL("Containerfile", ROOT));

/** A command of the file, in this checkout instead of `/app`. */
function commandOf(instruction: RegExp): string[] {
  const words: unknown = JSON.parse(text.match(instruction)?.[1] ?? "");
  assert.ok(Array.isArray(words));
  const here = ROOT.pathname.replace(/\/$/, "");
  return words.map((word) => String(word).replaceAll(/(?<=[=,])\/app/g, here));
}

const entry = commandOf(/^ENTRYPOINT (\[.*\])$/m);
const check = commandOf(/^ +CMD (\[.*\])$/m);

function spawn([command, ...args]: readonly string[], env: Record<string, string>) {
  assert.equal(command, "deno");
  return new Deno.Command(Deno.execPath(), {
    args,
    cwd: ROOT,
    clearEnv: true,
    env: {
      PATH: Deno.env.get("PATH") ?? "",
      HOME: Deno.env.get("HOME") ?? "",
      ...(Deno.env.has("DENO_DIR") && { DENO_DIR: Deno.env.get("DENO_DIR") ?? "" }),
      DENO_NO_UPDATE_CHECK: "1",
      NO_COLOR: "1",
      ...env,
    },
    stdin: "null",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
}

Deno.test("the container's command serves with its permissions, and its health check tells whether it does", async () => {
  const env = { CLIP_E_HOST: "0.0.0.0", CLIP_E_PORT: "0", CLIP_E_WORKERS: "1" };
  const server = spawn(entry, env);
  let log = "";
  const { promise: listening, resolve } = Promise.withResolvers<string>();
  const heard = (async () => {
    for await (const piece of server.stdout.pipeThrough(new TextDecoderStream())) {
      log += piece;
      const port = log.match(/ on http:\/\/0\.0\.0\.0:(\d+)\n/)?.[1];
      if (port) resolve(port);
    }
  })();
  const isHealthy = async (port: string) => {
    const child = spawn(check, { CLIP_E_PORT: port });
    return (await child.output()).code;
  };
  const ended = server.status.then(() => undefined);
  const port = await Promise.race([listening, ended]);
  assert.ok(port, `it does not listen: ${log}`);
  try {
    const { model } = await classifyOverHttp(
      `http://127.0.0.1:${port}`,
      await readPicture("small.jpg"),
    );
    assert.equal(model.name, "nano");
    assert.equal(await isHealthy(port), 0);
  } finally {
    server.kill("SIGTERM");
    await heard;
    assert.equal((await server.status).code, 0);
  }
  assert.equal(await isHealthy(port), 1);
});

Deno.test("the container grants what deno task start does, but for its own folders and address", async () => {
  const { args } = await readCall("start");
  const variables = (words: readonly string[]) =>
    words.find((word) => word.startsWith("--allow-env="))?.replace("--allow-env=", "").split(",");
  assert.deepEqual(variables(entry)?.sort(), variables(args)?.sort());
  for (const word of entry.filter((word) => word.startsWith("--allow-"))) {
    assert.match(word, /^--allow-(env|read|net|ffi)=./);
  }
});

Deno.test("the container's build makes what the page computes with in browsers", () => {
  assert.match(text, /^RUN deno task page:build$/m);
});

Deno.test("the container's files are there, and reach its build", async () => {
  const ignored = await Deno.readTextFile(new URL(".dockerignore", ROOT));
  const kept = ignored.split("\n").filter((line) => line.startsWith("!")).map((l) => l.slice(1));
  for (const [, sources] of text.matchAll(/^COPY (.+) \S+$/gm)) {
    for (const path of sources.split(" ")) {
      assert.ok(kept.includes(path), `${path} is ignored`);
      await Deno.stat(new URL(path, ROOT));
    }
  }
});
