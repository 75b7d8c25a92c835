/**
 * The npm package, as npm packs it: in Node, in workerd, for TypeScript. No network is used: its dependencies are linked to
 * those of this repository. `deno task npm:try` installs them with npm too, which needs a registry.
 */

import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { WASM_FILES } from "../../edge/wasm_files.ts";
import { readPicture } from "../golden_file.ts";
import { isNativeInstalled, unlessInstalled } from "../native_installed.ts";
import {
  dependencyLinks,
  findMissingNode,
  type NodeProject,
  type PackedPackage,
  packPackage,
  TSC,
} from "./node_project.ts";
import { ROOT, runTask } from "./task_command.ts";
import { makeTemporaryFolder } from "./temporary_folder.ts";
import { ignoreWorkers } from "./worker_left_out.ts";
import { startConfiguredWorker } from "./worker_process.ts";

const missing = await findMissingNode();
const ignore = missing !== undefined;
if (ignore) console.warn(`Tests of the npm package are left out: ${missing}`);
const isOffline = Deno.env.get("CLIP_E_TEST_REGISTRY") !== "true";

const TINY = fileURLToPath(new URL("fixtures/bundles/tiny", ROOT));
const NODE_TYPES = "node_modules/.deno/node_modules/@types/node";
const PICTURES = ["storm.jpg", "rgba.png", "lossy.webp"].map((name) =>
  fileURLToPath(new URL(`fixtures/pictures/${name}`, ROOT))
);

let npm: PackedPackage;
let links: Readonly<Record<string, string>>;

Deno.test.beforeAll(async () => {
  if (ignore) return;
  npm = await packPackage();
  links = await dependencyLinks(npm);
});
Deno.test.afterAll(async () => {
  await npm?.remove();
});

/** Scores of each picture, in order. */
function scoresOf(lines: string): number[][] {
  return lines.trim().split("\n").map((line) =>
    JSON.parse(line).predictions.flatMap((
      { scores }: {
        readonly scores: readonly { readonly label: string; readonly score: number }[];
      },
    ) => scores.toSorted((a, b) => a.label < b.label ? -1 : 1).map(({ score }) => score))
  );
}

/** Runs the example in Node, and asserts that it says what the command line says. */
async function assertSameScores(project: NodeProject): Promise<void> {
  const example = new URL("examples/node/classify.mjs", ROOT);
  await Deno.copyFile(example, `${project.folder}/classify.mjs`);
  const { code, stdout, stderr } = await runTask("classify", [
    ...["--json", "--backend", "wasm", "--bundle", TINY],
    ...PICTURES,
  ]);
  assert.equal(code, 0, stderr);
  const expected = scoresOf(stdout);
  const actual = scoresOf(await project.run("node", "classify.mjs", TINY, ...PICTURES));
  assert.equal(actual.length, PICTURES.length);
  for (const [i, scores] of actual.entries()) {
    assert.equal(scores.length, expected[i].length);
    for (const [j, score] of scores.entries()) {
      assert.ok(Math.abs(score - expected[i][j]) < 1e-5, `${PICTURES[i]}: ${scores}`);
    }
  }
}

/** What runs the encoder in Node. */
async function backendIn(project: NodeProject): Promise<string> {
  const code = 'import { createClassifier, folderSource } from "@clip-e/edge/node";\n' +
    `const { model } = await createClassifier({ bundle: folderSource(${
      JSON.stringify(TINY)
    }) });\n` +
    "console.log(model.encoder.backend);\n";
  await Deno.writeTextFile(`${project.folder}/backend.js`, code);
  return (await project.run("node", "backend.js")).trim();
}

Deno.test({
  name: "the npm package classifies in Node as deno task classify does",
  ignore,
  async fn() {
    const project = await npm.makeProject(links);
    await assertSameScores(project);
    assert.equal(await backendIn(project), "wasm");
  },
});

Deno.test({
  name: `the npm package computes natively where onnxruntime-node is installed${unlessInstalled}`,
  ignore: ignore || !isNativeInstalled,
  async fn() {
    const native = "edge/adapter/deno/native/node_modules/onnxruntime-node";
    const project = await npm.makeProject({ ...links, "onnxruntime-node": native });
    await assertSameScores(project);
    assert.equal(await backendIn(project), "native");
  },
});

Deno.test({
  name: "the npm package's client needs no other package, and calls an app that Node serves",
  ignore,
  async fn() {
    const bare = await npm.makeProject();
    await Deno.writeTextFile(
      `${bare.folder}/client.js`,
      'import { createClient } from "@clip-e/edge/client";\n' +
        'console.log(typeof createClient({ url: "http://localhost" }).classify);\n',
    );
    assert.equal(await bare.run("node", "client.js"), "function\n");
    await assert.rejects(backendIn(bare), /Cannot find package/);

    const project = await npm.makeProject(links);
    await Deno.writeTextFile(
      `${project.folder}/app.js`,
      'import { createApp, createClassifier, folderSource } from "@clip-e/edge/node";\n' +
        'import { createClient } from "@clip-e/edge/client";\n' +
        'import { readFile } from "node:fs/promises";\n' +
        "const [folder, picture] = process.argv.slice(2);\n" +
        "const app = createApp(await createClassifier({ bundle: folderSource(folder) }));\n" +
        'const client = createClient({ url: "http://localhost/", fetch: app.fetch });\n' +
        "const { image } = await client.classify(await readFile(picture));\n" +
        "const code = await client.classify(new Uint8Array(9)).catch((error) => error.code);\n" +
        "console.log(image.width, code);\n",
    );
    const said = await project.run("node", "app.js", TINY, PICTURES[0]);
    assert.equal(said, "1024 unsupported-type\n");
  },
});

for (const [resolution, module] of [["bundler", "esnext"], ["nodenext", "nodenext"]]) {
  Deno.test({
    name: `the npm package has types for TypeScript with moduleResolution ${resolution}`,
    ignore,
    async fn() {
      const project = await npm.makeProject({ ...links, "@types/node": NODE_TYPES });
      const consumer = new URL("npm_consumer.ts", import.meta.url);
      await Deno.copyFile(consumer, `${project.folder}/consumer.ts`);
      const options = {
        ...{ strict: true, noEmit: true, target: "es2022", module, moduleResolution: resolution },
        ...{ lib: ["es2024", "dom", "dom.iterable"], types: ["node"], skipLibCheck: false },
      };
      const config = JSON.stringify({ compilerOptions: options, files: ["consumer.ts"] });
      await Deno.writeTextFile(`${project.folder}/tsconfig.json`, config);
      assert.equal(await project.run("node", TSC), "");
    },
  });
}

Deno.test({
  name: "the npm package names files that are there, and dependencies that are pinned",
  ignore,
  async fn() {
    const json = JSON.parse(await Deno.readTextFile(`${npm.folder}/package.json`));
    const { imports } = JSON.parse(await Deno.readTextFile(new URL("deno.json", ROOT)));
    for (const [name, version] of Object.entries(json.dependencies)) {
      assert.equal(`npm:${name}@${version}`, imports[name]);
    }
    const exports: readonly unknown[] = Object.values(json.exports);
    const named = exports.flatMap((entry) =>
      typeof entry === "object" && entry !== null ? Object.values(entry) : [entry]
    );
    const wasm = Object.values(WASM_FILES).map((name) => name.replace(/\.wasm$/, ""));
    const files = [...named, ...json.sideEffects, "LICENSE", "LICENSE-jsquash", "README.md"]
      .flatMap((file) => file.includes("*") ? wasm.map((name) => file.replace("*", name)) : [file]);
    for (const file of files) await Deno.stat(`${npm.folder}/${file}`);
    assert.ok(files.length > 20, `only ${files.length}`);
  },
});

Deno.test("deno task npm:build leaves a folder alone that holds something else", async () => {
  const folder = await makeTemporaryFolder("npm");
  try {
    const file = new URL("package.json", folder.url);
    await Deno.writeTextFile(file, '{ "name": "mine" }');
    const { code, stderr } = await runTask("npm:build", ["--out", folder.path]);
    assert.equal(code, 2);
    assert.match(stderr, /holds something else than this package: name another folder/);
    assert.equal(await Deno.readTextFile(file), '{ "name": "mine" }');
  } finally {
    await folder.remove();
  }
});

Deno.test({
  name: "the npm package answers in a Worker that imports its WebAssembly",
  ignore: ignore || ignoreWorkers,
  async fn() {
    const project = await npm.makeProject(links);
    const main = `${project.folder}/worker.js`;
    // As its README says.
    const readme = await Deno.readTextFile(`${npm.folder}/README.md`);
    const code = readme.match(/## Cloudflare Workers\n+```js\n([^]*?)```/)?.[1] ?? "";
    await Deno.writeTextFile(main, code);
    const worker = await startConfiguredWorker("fixtures/bundles/tiny", (config) => {
      return { ...config, main, alias: {} };
    });
    try {
      const body = await readPicture("storm.jpg");
      const answer = await fetch(`${worker.url}/v1/classify?top=1`, { method: "POST", body });
      assert.equal(answer.status, 200, worker.log());
      assert.deepEqual((await answer.json()).image, { width: 1024, height: 683 });
    } finally {
      assert.deepEqual(await worker.stop(), [], "processes stayed");
    }
  },
});

Deno.test({
  name: "the npm package is installed by npm with its dependencies" +
    (isOffline ? " (left out: deno task npm:try asks a registry for them)" : ""),
  ignore: ignore || isOffline,
  async fn() {
    const project = await npm.makeEmptyProject();
    await project.run("npm", "install", "--no-audit", "--no-fund", npm.tarball);
    await assertSameScores(project);
  },
});
