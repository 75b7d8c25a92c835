/**
 * The entry for `deno serve` and Deno Deploy: what the library says, with workers and without, from a folder and from a URL.
 */

import assert from "node:assert/strict";
import { folderSource } from "../../edge/adapter/deno/folder_source.ts";
import { createClassifier } from "../../edge/classifier.ts";
import { readPicture } from "../golden_file.ts";
import { makeSyntheticBundle } from "../synthetic_bundle.ts";
import { assertProblem } from "../e2e/assert_problem.ts";
import { classifyOverHttp } from "../e2e/classify_over_http.ts";
import { SERVE, type ServeOptions, type ServeProcess, startServe } from "../e2e/serve_process.ts";
import { ROOT } from "../e2e/task_command.ts";
import { makeTemporaryFolder } from "../e2e/temporary_folder.ts";

const bundle = await makeSyntheticBundle();
const NAMES = ["storm.jpg", "rgba.png", "lossy.webp"];

async function withServer(
  options: ServeOptions,
  use: (server: ServeProcess) => Promise<void>,
): Promise<void> {
  const server = await startServe(options);
  try {
    await use(server);
  } finally {
    await server.stop();
  }
}

/** A static host of the bundle, which may not have it yet. */
interface Host {
  url: string;
  /** Paths, relative to the bundle. */
  readonly asked: string[];
  isUp: boolean;
  /** Of a server that reads the bundle: its `DENO_DIR` is this test's, since the runtime keeps what it fetched there. */
  readonly env: Readonly<Record<string, string>>;
}

async function withHost(use: (host: Host) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "clip_e_deno_dir_" });
  await linkDenoDir(folder);
  const host: Host = { url: "", asked: [], isUp: true, env: { DENO_DIR: folder } };
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, ({ url }) => {
    const path = new URL(url).pathname.replace("/models/one/", "");
    host.asked.push(path);
    const bytes = host.isUp ? bundle.files.get(path) : undefined;
    return bytes ? new Response(bytes) : new Response("none", { status: 404 });
  });
  host.url = `http://127.0.0.1:${server.addr.port}/models/one/`;
  try {
    await use(host);
  } finally {
    await server.shutdown();
    await Deno.remove(folder, { recursive: true });
  }
}

/** Puts everything but what pages and programs keep into another `DENO_DIR`. */
async function linkDenoDir(folder: string): Promise<void> {
  const { stdout } = await new Deno.Command(Deno.execPath(), { args: ["info", "--json"] }).output();
  const { denoDir } = JSON.parse(new TextDecoder().decode(stdout));
  for await (const { name } of Deno.readDir(denoDir)) {
    if (name !== "location_data") await Deno.symlink(`${denoDir}/${name}`, `${folder}/${name}`);
  }
}

/** Runs with an entry that takes `Worker` away before the project's own is loaded. */
async function withoutWorkers(use: (entry: string) => Promise<void>): Promise<void> {
  const folder = await makeTemporaryFolder("serve");
  try {
    const code = 'Reflect.deleteProperty(globalThis, "Worker");\n' +
      `const { default: server } = await import(${JSON.stringify(new URL(SERVE, ROOT))});\n` +
      'console.log(`There is ${typeof Worker === "undefined" ? "no" : "a"} Worker`);\n' +
      "export default server;\n";
    await Deno.writeTextFile(new URL("entry.ts", folder.url), code);
    await use(`${folder.path}/entry.ts`);
  } finally {
    await folder.remove();
  }
}

async function checkAnswers(server: ServeProcess): Promise<void> {
  const library = await createClassifier({ bundle: folderSource("fixtures/bundles/nano") });
  try {
    assert.equal(await fetch(`${server.url}/healthz`).then((answer) => answer.text()), "ok");
    const answers = await Promise.all(
      NAMES.map(async (name) => await classifyOverHttp(server.url, await readPicture(name))),
    );
    for (const [i, name] of NAMES.entries()) {
      const { image, predictions } = await library.classify(await readPicture(name));
      assert.deepEqual([answers[i].image, answers[i].predictions], [image, predictions], name);
      assert.equal(answers[i].model.bundle, library.model.bundle);
    }
    const body = await readPicture("bad/truncated.jpg");
    const refused = await fetch(`${server.url}/v1/classify`, { method: "POST", body });
    await assertProblem(refused, 422, "truncated");
    const page = await fetch(`${server.url}/`);
    assert.match(await page.text(), /<title>/);
  } finally {
    await library.close();
  }
}

Deno.test("serve.ts under deno serve says what the library says, with no more than read and env", async () => {
  await withServer({ env: { CLIP_E_WORKERS: "2" } }, checkAnswers);
});

Deno.test("serve.ts computes in its own thread where there is no Worker, and says the same", async () => {
  await withoutWorkers(async (entry) => {
    await withServer({ entry }, async (server) => {
      assert.match(server.log(), /There is no Worker/);
      await checkAnswers(server);
    });
  });
});

Deno.test("serve.ts reads its bundle from a URL once, at the first request, however many come at once", async () => {
  await withHost(async (host) => {
    await withoutWorkers(async (entry) => {
      const env = { ...host.env, CLIP_E_BUNDLE: host.url };
      await withServer({ entry, env, args: ["--allow-net=127.0.0.1"] }, async ({ url }) => {
        assert.equal(await fetch(`${url}/healthz`).then((answer) => answer.text()), "ok");
        assert.deepEqual(host.asked, []);
        const picture = await readPicture("small.jpg");
        const answers = await Promise.all(
          Array.from({ length: 5 }, () => classifyOverHttp(url, picture)),
        );
        for (const answer of answers) assert.deepEqual(answer, answers[0]);
        assert.equal(answers[0].model.name, "synthetic");
        assert.equal(host.asked.filter((path) => path === "manifest.json").length, 1);
      });
    });
  });
});

Deno.test("serve.ts has its workers share what it fetched", async () => {
  await withHost(async (host) => {
    const env = { ...host.env, CLIP_E_BUNDLE: host.url, CLIP_E_WORKERS: "2" };
    await withServer({ env, args: ["--allow-net=127.0.0.1"] }, async ({ url }) => {
      const { model } = await classifyOverHttp(url, await readPicture("small.jpg"));
      assert.equal(model.name, "synthetic");
      const models = host.asked.filter((path) => path === "encoder.onnx");
      assert.deepEqual(models, ["encoder.onnx"]);
    });
  });
});

Deno.test("serve.ts answers 503 while its bundle cannot be had, and 200 once it can", async () => {
  await withHost(async (host) => {
    host.isUp = false;
    const env = { ...host.env, CLIP_E_BUNDLE: host.url, CLIP_E_WORKERS: "1" };
    await withServer({ env, args: ["--allow-net=127.0.0.1"] }, async (server) => {
      const post = async () => {
        const body = await readPicture("small.jpg");
        return await fetch(`${server.url}/v1/classify`, { method: "POST", body });
      };
      const refused = await post();
      assert.equal(refused.headers.get("Retry-After"), "1");
      await assertProblem(refused, 503, "invalid-bundle");
      assert.match(server.log(), /ClipEError: .*there is no manifest\.json/);
      host.isUp = true;
      const answer = await post();
      await answer.body?.cancel();
      assert.equal(answer.status, 200);
    });
  });
});

Deno.test("serve.ts says which host it may not ask for its bundle", async () => {
  const env = { CLIP_E_BUNDLE: "http://models.invalid/model/", CLIP_E_WORKERS: "1" };
  await withServer({ env }, async (server) => {
    const answer = await fetch(`${server.url}/v1/model`);
    await assertProblem(answer, 503, "invalid-bundle");
    assert.match(server.log(), /Permit it with --allow-net=models\.invalid:80/);
  });
});

Deno.test("serve.ts takes its options from the environment", async () => {
  const env = { CLIP_E_TOKENS: "0123456789abcdef0123456789abcdef", CLIP_E_MAX_PIXELS: "100" };
  await withServer({ env: { ...env, CLIP_E_WORKERS: "1" } }, async ({ url }) => {
    const post = async (headers: HeadersInit) => {
      const body = await readPicture("small.jpg");
      return await fetch(`${url}/v1/classify`, { method: "POST", body, headers });
    };
    await assertProblem(await post({}), 401, "unauthorized");
    const authorized = await post({ Authorization: `Bearer ${env.CLIP_E_TOKENS}` });
    await assertProblem(authorized, 422, "too-many-pixels");
  });
});

Deno.test("serve.ts does not start with an option that cannot be, and names it", async () => {
  for (const env of [{ CLIP_E_MAX_BYTES: "many" }, { CLIP_E_BACKEND: "magic" }]) {
    const [name, value] = Object.entries(env)[0];
    const why = name === "CLIP_E_MAX_BYTES" ? name : "--backend";
    await assert.rejects(
      startServe({ env }),
      ({ message }: Error) => message.includes(why) && message.includes(value),
    );
  }
});
