import type { Method } from "../../edge/model_info.ts";
import assert from "node:assert/strict";
import {
  describeFile,
  type Manifest,
  MANIFEST_PATH,
  writeGolden,
  writeManifest,
} from "@clip-e/shared";
import { SCHEMAS } from "../../edge/app/openapi.ts";
import { readPicture } from "../golden_file.ts";
import { makeQuantizedBundle, zeroScale } from "../quantized_bundle.ts";
import {
  type BundleFiles,
  makeSyntheticBundle,
  type SyntheticBundle,
  writeBundleFiles,
} from "../synthetic_bundle.ts";
import { assertProblem } from "../e2e/assert_problem.ts";
import { classifyOverHttp, readAnswer } from "../e2e/classify_over_http.ts";
import { type ServerProcess, startServer } from "../e2e/server_process.ts";
import { runTask } from "../e2e/task_command.ts";
import { makeTemporaryFolder } from "../e2e/temporary_folder.ts";

let bundle: SyntheticBundle;
const small = await readPicture("small.jpg");

Deno.test.beforeAll(async () => {
  bundle = await makeSyntheticBundle();
});

/** Damages a copy of the bundle, serves it, and looks at the server. */
async function withServer(
  damage: (files: BundleFiles) => void,
  look: (server: ServerProcess, bundle: string) => Promise<void>,
): Promise<void> {
  const folder = await makeTemporaryFolder("faults");
  try {
    const files = new Map(bundle.files);
    damage(files);
    await writeBundleFiles(files, folder.url);
    const server = await startServer(folder.path, "--workers", "1");
    try {
      await look(server, folder.path);
    } finally {
      await server.stop();
    }
  } finally {
    await folder.remove();
  }
}

/** Damages a copy of the bundle, and asserts that the server does not start, and says why in one line. */
async function assertRefused(
  damage: (files: BundleFiles) => void | Promise<void>,
  why: RegExp,
  ...args: string[]
): Promise<void> {
  const folder = await makeTemporaryFolder("faults");
  try {
    const files = new Map(bundle.files);
    await damage(files);
    await writeBundleFiles(files, folder.url);
    const { code, stdout, stderr } = await runTask("start", [
      ...["--bundle", folder.path],
      ...["--port", "0"],
      ...["--workers", "2"],
      ...args,
    ], { timeout: 20_000 });
    assert.equal(code, 1, `${stdout}${stderr}`);
    assert.equal(stdout, "");
    assert.match(stderr, /^error: [^\n]+\n$/);
    assert.match(stderr, why);
  } finally {
    await folder.remove();
  }
}

/** Flips the lowest bit of a byte in the middle of a file. */
function flip(files: BundleFiles, path: string): void {
  const bytes = files.get(path)?.slice();
  assert.ok(bytes);
  bytes[bytes.length >> 1] ^= 1;
  files.set(path, bytes);
}

/** Replaces the manifest by one that says something else, without asking whether it is right to. */
function rewriteManifest(files: BundleFiles, change: (manifest: Manifest) => void): void {
  const manifest = structuredClone(bundle.manifest);
  change(manifest);
  files.set(MANIFEST_PATH, new TextEncoder().encode(JSON.stringify(manifest)));
}

async function methodsByAuto(server: ServerProcess): Promise<Record<string, [Method, boolean]>> {
  const { predictions } = await classifyOverHttp(server.url, small);
  return Object.fromEntries(
    predictions.map(({ taxonomy, method, degraded = false }) => [taxonomy, [method, degraded]]),
  );
}

function postByName(server: ServerProcess, query: string): Promise<Response> {
  return fetch(`${server.url}/v1/classify?${query}`, { method: "POST", body: small });
}

Deno.test("a bundle without one head answers by the next method, which is not degraded", async () => {
  await withServer((files) => files.delete("heads/polarity.safetensors"), async (server) => {
    assert.deepEqual(await methodsByAuto(server), {
      polarity: ["contrastive", false],
      primary: ["cross-entropy", false],
      secondary: ["cross-entropy", false],
      mikels: ["contrastive", false],
      quadrant: ["contrastive", false],
    });
    const ready = await readAnswer(await fetch(`${server.url}/readyz`), SCHEMAS.ReadyAnswer);
    assert.equal(ready.status, "ready");
    assert.deepEqual(
      ready.faults.map(({ part, fault }) => [part, fault]),
      [["heads/polarity", "missing"]],
    );
    assert.match(server.log(), /^missing heads\/polarity: /m);
    const model = await readAnswer(await fetch(`${server.url}/v1/model`), SCHEMAS.ModelAnswer);
    const { available, fault } = model.taxonomies[0].methods[0];
    assert.deepEqual([available, fault], [false, "missing"]);
    const detail = await assertProblem(
      await postByName(server, "taxonomy=polarity&method=cross-entropy"),
      503,
      "method-unavailable",
    );
    assert.match(detail, /cross-entropy.*polarity.*missing/);
  });
});

Deno.test("a damaged head degrades answers, /readyz and the log, and is never replaced by name", async () => {
  await withServer((files) => flip(files, "heads/polarity.safetensors"), async (server) => {
    assert.deepEqual(await methodsByAuto(server), {
      polarity: ["contrastive", true],
      primary: ["cross-entropy", false],
      secondary: ["cross-entropy", false],
      mikels: ["contrastive", false],
      quadrant: ["contrastive", false],
    });
    const ready = await readAnswer(await fetch(`${server.url}/readyz`), SCHEMAS.ReadyAnswer);
    assert.equal(ready.status, "degraded");
    const [{ part, fault, detail }, ...others] = ready.faults;
    assert.deepEqual([part, fault, others], ["heads/polarity", "invalid", []]);
    assert.match(detail, /SHA-256/);
    assert.match(server.log(), /^invalid heads\/polarity: .*SHA-256/m);
    for (const query of ["taxonomy=polarity&method=cross-entropy", "method=cross-entropy"]) {
      const problem = await assertProblem(
        await postByName(server, query),
        503,
        "method-unavailable",
      );
      assert.match(problem, /cross-entropy.*polarity.*failed its check/);
    }
    const { predictions } = await classifyOverHttp(
      server.url,
      small,
      "taxonomy=polarity&method=zero-shot",
    );
    assert.equal(predictions[0].method, "zero-shot");
    assert.equal(predictions[0].degraded, undefined, "what was asked for by name is what it is");
  });
});

Deno.test("a damaged contrastive head costs every taxonomy that has none better", async () => {
  await withServer((files) => flip(files, "heads/contrastive.safetensors"), async (server) => {
    assert.deepEqual(await methodsByAuto(server), {
      polarity: ["cross-entropy", false],
      primary: ["cross-entropy", false],
      secondary: ["cross-entropy", false],
      mikels: ["zero-shot", true],
      quadrant: ["zero-shot", true],
    });
  });
});

Deno.test("a bundle without any head answers every taxonomy by its prompts", async () => {
  const removeHeads = (files: BundleFiles) => {
    for (const path of [...files.keys()]) if (path.startsWith("heads/")) files.delete(path);
  };
  await withServer(removeHeads, async (server) => {
    assert.deepEqual(await methodsByAuto(server), {
      polarity: ["zero-shot", false],
      primary: ["zero-shot", false],
      secondary: ["zero-shot", false],
      mikels: ["zero-shot", false],
      quadrant: ["zero-shot", false],
    });
    const ready = await readAnswer(await fetch(`${server.url}/readyz`), SCHEMAS.ReadyAnswer);
    assert.equal(ready.status, "ready");
  });
});

Deno.test("damaged prompts leave a taxonomy to its own head, and one without a head unserved", async () => {
  const damage = (files: BundleFiles) => {
    flip(files, "prompts/polarity.safetensors");
    flip(files, "prompts/mikels.safetensors");
  };
  await withServer(damage, async (server) => {
    assert.deepEqual(await methodsByAuto(server), {
      polarity: ["cross-entropy", false],
      primary: ["cross-entropy", false],
      secondary: ["cross-entropy", false],
      quadrant: ["contrastive", false],
    });
    const detail = await assertProblem(
      await postByName(server, "taxonomy=mikels"),
      503,
      "method-unavailable",
    );
    assert.match(detail, /mikels/);
  });
});

Deno.test("a damaged encoder refuses service", async () => {
  await assertRefused((files) => flip(files, "encoder.onnx"), /encoder\.onnx.*SHA-256/);
  await assertRefused((files) => void files.delete("encoder.onnx"), /encoder\.onnx is missing/);
  await assertRefused(
    (files) => void files.set("encoder.onnx", bundle.files.get("encoder.onnx")?.slice(1) ?? small),
    /encoder\.onnx has \d+ bytes/,
  );
});

Deno.test("a fallback for an encoder that does not prove itself is told by the log, /v1/model and the command", async () => {
  const quantised = await makeQuantizedBundle({ change: zeroScale });
  const replace = (files: BundleFiles) =>
    quantised.forEach((bytes, path) => files.set(path, bytes));
  await withServer(replace, async (server, bundle) => {
    const said =
      /^invalid encoders\/encoder\.int8\.onnx: .*golden embedding.*\nA fallback serves: encoder\.onnx \(float32\), on the backend (native|wasm)$/m;
    assert.match(server.log(), said);
    const model = await readAnswer(await fetch(`${server.url}/v1/model`), SCHEMAS.ModelAnswer);
    assert.equal(model.encoder.precision, "float32");
    assert.ok(model.faults.length > 0);
    assert.ok(model.faults.every(({ part }) => part === "encoders/encoder.int8.onnx"));
    const picture = "fixtures/pictures/small.jpg";
    const { code, stdout, stderr } = await runTask("classify", [
      ...["--bundle", bundle],
      ...["--json", picture],
    ]);
    assert.equal(code, 0, stderr);
    assert.equal(JSON.parse(stdout).file, picture, "stdout holds the answer alone");
    assert.match(stderr, said);
  });
});

Deno.test("an encoder that is no model refuses service", async () => {
  await assertRefused(async (files) => {
    const file = await describeFile("encoder.onnx", small);
    files.set("encoder.onnx", small);
    rewriteManifest(files, ({ encoders }) => encoders[0].file = file);
  }, /Cannot use the encoder/);
});

Deno.test("an encoder that does not reproduce the golden embedding refuses service", async () => {
  await assertRefused(async (files) => {
    const golden = writeGolden(new Float32Array(512).fill(0.5));
    const file = await describeFile("golden.safetensors", golden);
    files.set("golden.safetensors", golden);
    rewriteManifest(files, (manifest) => manifest.golden.file = file);
  }, /encoder\.onnx does not reproduce the golden embedding/);
});

Deno.test("an encoder with another preprocessing than its golden embedding's refuses service", async () => {
  await assertRefused((files) => {
    rewriteManifest(files, ({ encoders }) => encoders[0].mean = [0.5, 0.5, 0.5]);
  }, /does not reproduce the golden embedding/);
});

Deno.test("a damaged manifest refuses service", async () => {
  await assertRefused((files) => void files.delete(MANIFEST_PATH), /there is no manifest\.json/);
  await assertRefused(
    (files) => void files.set(MANIFEST_PATH, writeManifest(bundle.manifest).slice(0, -10)),
    /manifest\.json is not valid/,
  );
  await assertRefused(
    (files) => rewriteManifest(files, (manifest) => Reflect.set(manifest, "format", 2)),
    /format is 2, and this version reads format 1/,
  );
});

Deno.test("a manifest whose file would lie outside the bundle refuses service", async () => {
  await assertRefused(
    (files) =>
      rewriteManifest(files, ({ encoders }) => encoders[0].file.path = "../../../deno.json"),
    /plain relative path/,
  );
});

Deno.test("a pinned digest admits its own manifest and refuses every other", async () => {
  const digest = `sha256:${(await describeFile("", writeManifest(bundle.manifest))).sha256}`;
  await assertRefused(
    (files) => rewriteManifest(files, (manifest) => manifest.license = "another"),
    /digest is sha256:[0-9a-f]{64}, expected sha256:[0-9a-f]{64}/,
    "--digest",
    digest,
  );
  const folder = await makeTemporaryFolder("faults");
  try {
    await writeBundleFiles(bundle.files, folder.url);
    const server = await startServer(folder.path, "--workers", "1", "--digest", digest);
    const { model } = await classifyOverHttp(server.url, small).finally(() => server.stop());
    assert.equal(model.bundle, digest);
  } finally {
    await folder.remove();
  }
});

Deno.test("a head or prompts of another embedding space refuse the bundle", async () => {
  await assertRefused(
    (files) => rewriteManifest(files, ({ heads }) => heads[1].embeddingSpace = "other@1"),
    /head primary is for the space other@1, the encoder's is synthetic@1/,
  );
  await assertRefused(
    (files) => rewriteManifest(files, ({ prompts }) => prompts[0].embeddingSpace = "other@1"),
    /prompts of polarity are of the space other@1/,
  );
});

Deno.test("a folder that is not there is told as such", async () => {
  const { code, stderr } = await runTask("start", ["--bundle", ".cache/nothing", "--port", "0"]);
  assert.equal(code, 1);
  assert.match(stderr, /^error: [^\n]*no manifest\.json[^\n]*\n$/);
});

Deno.test("a bundle outside the project, which the task may not read, is told in one line", async () => {
  const { code, stderr } = await runTask("start", ["--bundle", "../elsewhere", "--port", "0"]);
  assert.equal(code, 1);
  assert.match(stderr, /^error: [^\n]+\n$/);
  assert.match(stderr, /--allow-read/);
});

Deno.test("heads that vanish one by one from a served bundle never cost an answer", async () => {
  const folder = await makeTemporaryFolder("vanishing");
  try {
    await writeBundleFiles(new Map(bundle.files), folder.url);
    const heads = bundle.manifest.heads.map(({ file }) => file.path);
    let server = await startServer(folder.path, "--workers", "2");
    try {
      for (const head of heads) {
        const answers = Array.from({ length: 4 }, () => classifyOverHttp(server.url, small));
        await Deno.remove(new URL(head, folder.url));
        for (const { predictions } of await Promise.all(answers)) {
          assert.equal(predictions.length, bundle.manifest.taxonomies.length);
        }
        // The next to start finds the head gone, and answers by the next best method.
        await server.stop();
        server = await startServer(folder.path, "--workers", "2");
        const { predictions } = await classifyOverHttp(server.url, small);
        assert.equal(predictions.length, bundle.manifest.taxonomies.length);
      }
      const { predictions } = await classifyOverHttp(server.url, small);
      assert.ok(predictions.every(({ method }) => method === "zero-shot"));
    } finally {
      await server.stop();
    }
  } finally {
    await folder.remove();
  }
});
