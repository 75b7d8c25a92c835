/**
 * The examples, run as their opening comments say. That of Node is run with the npm package, in `npm_package_test.ts`.
 */

import { type Classification, createClassifier, folderSource } from "@clip-e/edge/deno";
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { makeWorkerConfig } from "../../edge/adapter/workerd/build/worker_config.ts";
import { readPicture } from "../golden_file.ts";
import { CHROMIUM, isChromiumMissing, launchChromium } from "./chromium.ts";
import { ROOT } from "./task_command.ts";
import { makeTemporaryFolder } from "./temporary_folder.ts";
import { ignoreWorkers } from "./worker_left_out.ts";
import { startConfiguredWorker } from "./worker_process.ts";

const TINY = "fixtures/bundles/tiny";
const isWithoutBrowser = await isChromiumMissing();
if (isWithoutBrowser) console.warn(`The example of a page is left out: no browser at ${CHROMIUM}`);

/** What the library itself says of a picture. */
async function classify(name: string): Promise<Classification> {
  const classifier = await createClassifier({ bundle: folderSource(new URL(TINY, ROOT)) });
  try {
    return await classifier.classify(await readPicture(name));
  } finally {
    await classifier.close();
  }
}

/** How positive the library finds a picture. */
async function pleasantness(name: string): Promise<number | undefined> {
  const { predictions } = await classify(name);
  const polarity = predictions.find(({ taxonomy }) => taxonomy === "polarity");
  return polarity?.scores.find(({ label }) => label === "positive")?.score;
}

/** What is added to a documented call. */
interface More {
  /** Before the module. */
  readonly options?: readonly string[];
  /** After it. */
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

/** The call of `deno` that a module's opening comment tells people to make. */
async function documentedCall(
  module: string,
  { options = [], args = [], env = {} }: More,
): Promise<Deno.Command> {
  const text = await Deno.readTextFile(new URL(module, ROOT));
  const start = text.split(module)[0].split(" *     deno ").at(-1) ?? "";
  assert.match(start, /^(run|serve)( --allow-[\w=]+)+ $/, `${module} does not say how it is run`);
  return new Deno.Command(Deno.execPath(), {
    args: [...start.trim().split(" "), "--no-prompt", ...options, module, ...args],
    cwd: ROOT,
    env: { NO_COLOR: "1", ...env },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  });
}

/** Runs a server until it was used. */
async function withServer(
  command: Deno.Command,
  use: (url: string) => Promise<void>,
): Promise<void> {
  const process = command.spawn();
  let log = "";
  const { promise: listening, resolve } = Promise.withResolvers<string>();
  const listen = async (stream: ReadableStream<Uint8Array<ArrayBuffer>>) => {
    for await (const text of stream.pipeThrough(new TextDecoderStream())) {
      log += text;
      const port = log.match(/Listening on http:\S+:(\d+)/)?.[1];
      if (port) resolve(`http://127.0.0.1:${port}`);
    }
  };
  const ended = Promise.all([process.status, listen(process.stdout), listen(process.stderr)])
    .then(() => undefined);
  const timer = setTimeout(() => process.kill("SIGKILL"), 60_000);
  try {
    const url = await Promise.race([listening, ended]);
    assert.ok(url, `The server does not listen. It said:\n${log}`);
    await use(url);
  } finally {
    clearTimeout(timer);
    process.kill("SIGKILL");
    await ended;
  }
}

async function post(url: string, body: BodyInit): Promise<Response> {
  return await fetch(url, { method: "POST", body, signal: AbortSignal.timeout(30_000) });
}

Deno.test("the example plain-fetch says how pleasant a picture is, and why it cannot", async () => {
  const call = await documentedCall("examples/plain-fetch/server.ts", {
    options: ["--host", "127.0.0.1", "--port", "0"],
  });
  await withServer(call, async (url) => {
    const answer = await post(url, await readPicture("storm.jpg"));
    assert.deepEqual(await answer.json(), { pleasant: await pleasantness("storm.jpg") });
    const refused = await post(url, "no picture");
    assert.equal(refused.status, 422);
    assert.equal((await refused.json()).code, "unsupported-type");
    const asked = await fetch(url);
    assert.equal(asked.status, 405);
    await asked.body?.cancel();
  });
});

Deno.test("the example deno-server has the API below a path, beside routes of its own", async () => {
  const call = await documentedCall("examples/deno-server/server.ts", { env: { PORT: "0" } });
  await withServer(call, async (url) => {
    assert.equal(await (await fetch(url)).text(), "Send me pictures\n");
    const answer = await post(`${url}/evokes/v1/classify`, await readPicture("storm.jpg"));
    assert.deepEqual((await answer.json()).predictions, (await classify("storm.jpg")).predictions);
    assert.equal((await (await fetch(`${url}/evokes/readyz`)).json()).status, "ready");

    const form = new FormData();
    const names = ["storm.jpg", "sunset.jpg"];
    for (const name of names) {
      form.append("picture", new File([await readPicture(name)], name));
    }
    const scores = await Promise.all(names.map(pleasantness));
    const brightest = await post(`${url}/brightest`, form);
    assert.deepEqual(await brightest.json(), { brightest: "sunset.jpg", scores });
  });
});

Deno.test({
  name: "the example hono-worker has the API below a path of a Worker",
  ignore: ignoreWorkers,
  async fn() {
    const template = fileURLToPath(new URL("examples/hono-worker/wrangler.jsonc", ROOT));
    const worker = await startConfiguredWorker(TINY, async ({ vars }, folder) => {
      const [assets, digest] = [`${folder}assets`, vars.BUNDLE_DIGEST];
      return JSON.parse(await makeWorkerConfig({ template, assets, digest }));
    });
    try {
      assert.equal(await (await fetch(worker.url)).text(), "Send me pictures\n");
      const body = await readPicture("storm.jpg");
      const answer = await post(`${worker.url}/evokes/v1/classify`, body);
      assert.equal(answer.status, 200, worker.log());
      const { predictions } = await answer.json();
      assert.deepEqual(predictions, (await classify("storm.jpg")).predictions);
      const nowhere = await fetch(`${worker.url}/v1/model`);
      assert.equal(nowhere.status, 404);
      await nowhere.body?.cancel();
    } finally {
      assert.deepEqual(await worker.stop(), [], "processes stayed");
    }
  },
});

Deno.test({
  name: "the example static-page says in a browser what a chosen picture evokes",
  ignore: isWithoutBrowser,
  async fn() {
    const folder = await makeTemporaryFolder("static_page");
    try {
      const path = fileURLToPath(folder.url).replace(/\/$/, "");
      const build = await documentedCall("examples/static-page/build.ts", { args: [path] });
      const { success, stderr } = await build.output();
      assert.ok(success, new TextDecoder().decode(stderr));
      const said = await chooseOnPage(folder.url, "storm.jpg");
      const expected = (await classify("storm.jpg")).predictions.map(({ taxonomy, scores }) =>
        `${taxonomy}: ${scores[0].label} ${(scores[0].score * 100).toFixed(1)} %`
      );
      assert.equal(said, expected.join(", "));
    } finally {
      await folder.remove();
    }
  },
});

const TYPES: Readonly<Record<string, string>> = { html: "text/html", js: "text/javascript" };

/** Serves a folder as static hosts do, opens its page, chooses a picture, and reads what the page says of it. */
async function chooseOnPage(folder: URL, picture: string): Promise<string> {
  const host = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, async ({ url }) => {
    const path = new URL(url).pathname.slice(1) || "index.html";
    const bytes = await Deno.readFile(new URL(path, folder)).catch(() => undefined);
    if (!bytes) return new Response("not here", { status: 404 });
    const type = TYPES[path.slice(path.lastIndexOf(".") + 1)] ?? "application/octet-stream";
    return new Response(bytes, { headers: { "Content-Type": type } });
  });
  const browser = await launchChromium();
  try {
    const page = await browser.newPage();
    await page.goto(`http://127.0.0.1:${host.addr.port}/`);
    const status = page.getByRole("status");
    await status.filter({ hasText: "Choose a picture" }).waitFor({ timeout: 30_000 });
    const file = fileURLToPath(new URL(`fixtures/pictures/${picture}`, ROOT));
    await page.getByLabel("A picture").setInputFiles(file);
    await status.filter({ hasText: "polarity" }).waitFor({ timeout: 30_000 });
    return await status.innerText();
  } finally {
    await browser.close();
    await host.shutdown();
  }
}
