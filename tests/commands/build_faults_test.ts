/**
 * `deno task build` where something fails: the hub, the model, the disk, or the one who runs it. It says so in a sentence,
 * and leaves nothing that looks like a bundle.
 */

import { createDecoders, decodePicture } from "@clip-e/edge/decode";
import { findTaxonomy, preprocess, TAXONOMIES } from "@clip-e/shared";
import assert from "node:assert/strict";
import { readPicture } from "../golden_file.ts";
import { LocalHub, type LocalModel } from "../local_hub.ts";
import {
  makeSyntheticClip,
  SYNTHETIC_PREPROCESSING,
  type SyntheticClip,
} from "../synthetic_clip.ts";
import { classifyOverHttp } from "../e2e/classify_over_http.ts";
import { startServer } from "../e2e/server_process.ts";
import { readCall, ROOT, type TaskResult } from "../e2e/task_command.ts";
import { makeTemporaryFolder } from "../e2e/temporary_folder.ts";

const MODEL = "someone/clip-tiny";
const TOKEN = "hf_secret";
const CLIP = makeSyntheticClip();
const CONFIG = "config.json";
const VISION = "onnx/vision_model.onnx";
const TEXT = "onnx/text_model.onnx";
/** Where downloads stop, within the image tower's file. */
const CUT = 5000;

type Files = SyntheticClip["files"];

/** A folder of the test's own: the hub's cache, and where the bundle goes. */
class Scene implements AsyncDisposable {
  readonly cache: string;
  readonly out: string;

  private constructor(readonly folder: string, readonly hub: LocalHub) {
    this.cache = `${folder}/cache`;
    this.out = `${folder}/place/bundle`;
  }

  static async set(model: Partial<LocalModel> = {}): Promise<Scene> {
    const folder = await Deno.makeTempDir({ prefix: "clip_e_build_faults_" });
    await Deno.mkdir(`${folder}/place`);
    const hub = await LocalHub.start([{ name: MODEL, files: CLIP.files, ...model }]);
    return new Scene(folder, hub);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.hub[Symbol.asyncDispose]();
    await Deno.remove(this.folder, { recursive: true });
  }

  /** Starts a build with the task's own permissions. */
  async start(options: StartOptions = {}): Promise<Deno.ChildProcess> {
    const {
      model = MODEL,
      out = this.out,
      token,
      labels,
      largestFile,
      endpoint = this.hub.endpoint,
    } = options;
    const { args } = await readCall("build");
    const own = labels === undefined ? [] : [`--labels=${labels}`];
    // Floats, whose scores can be told to the last digits.
    const flags = [`--model=${model}`, `--out=${out}`, "--precision=float32", ...own];
    const command = [Deno.execPath(), ...args, ...flags];
    // Without the trap, a file that grows too large would end the program at once.
    const limit = ["sh", "-c", `trap "" XFSZ; ulimit -f ${largestFile} && exec "$@"`, "sh"];
    const [program, ...rest] = largestFile === undefined ? command : [...limit, ...command];
    // A developer's own settings stay out of it.
    const others = Object.entries(Deno.env.toObject())
      .filter(([name]) => !/^(CLIP_E|HF|HUGGINGFACE)_/.test(name));
    return new Deno.Command(program, {
      args: rest,
      cwd: ROOT,
      clearEnv: true,
      env: {
        ...Object.fromEntries(others),
        HF_ENDPOINT: endpoint,
        HF_HOME: this.cache,
        ...(token === undefined ? {} : { HF_TOKEN: token }),
      },
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
  }

  async build(options: StartOptions = {}): Promise<TaskResult> {
    return await result(await this.start(options));
  }

  /** Writes a model's files to a folder, for builds that need no hub. */
  async writeModel(files: Files): Promise<string> {
    const folder = `${this.folder}/model`;
    await Deno.mkdir(`${folder}/onnx`, { recursive: true });
    for (const [path, bytes] of Object.entries(files)) {
      await Deno.writeFile(`${folder}/${path}`, bytes);
    }
    return folder;
  }

  /** Asserts that a build failed as builds should. */
  async assertFailed({ code, stdout, stderr }: TaskResult, why: RegExp): Promise<void> {
    assert.equal(code, 1, stderr);
    assert.equal(stdout, "");
    const lines = stderr.trimEnd().split("\n");
    assert.match(lines.at(-1) ?? "", /^error: /, stderr);
    assert.match(lines.at(-1) ?? "", why);
    for (const line of lines.slice(0, -1)) {
      assert.match(line, /^(Fetching|Encoding|Making|Logit scale)\b.*/, stderr);
    }
    assert.ok(!stderr.includes(TOKEN), stderr);
    assert.doesNotMatch(
      stderr,
      /http:\/\/[^ ]*\/storage\//,
      "the address of a file may hold a key",
    );
    const left = await Array.fromAsync(Deno.readDir(`${this.folder}/place`), ({ name }) => name);
    assert.deepEqual(left, [], "something is left beside the bundle's place");
  }

  /** Waits until a build has fetched the image tower as far as the hub sends it. */
  async waitForCut(): Promise<void> {
    const blobs = `${this.cache}/hub/models--${MODEL.replace("/", "--")}/blobs`;
    for (let i = 0; i < 1000; i++) {
      const entries = await Array.fromAsync(Deno.readDir(blobs)).catch(() => []);
      for (const { name } of entries.filter(({ name }) => name.endsWith(".incomplete"))) {
        // A small file may be whole by now, and have its own name.
        const size = await Deno.stat(`${blobs}/${name}`).then(({ size }) => size, () => 0);
        if (size === CUT) return;
      }
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    throw new Error("The build never came to where the hub falls silent");
  }
}

interface StartOptions {
  /** By default the hub's. */
  readonly model?: string;
  /** By default the hub's own. */
  readonly endpoint?: string;
  /** By default the scene's. */
  readonly out?: string;
  readonly token?: string;
  /** A file of one more taxonomy. */
  readonly labels?: string;
  /** In blocks of 512 bytes. */
  readonly largestFile?: number;
}

async function result(process: Deno.ChildProcess): Promise<TaskResult> {
  const { code, stdout, stderr } = await process.output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, stdout: text(stdout), stderr: text(stderr) };
}

// ---------------------------------------------------------------------------------------------------------------------
// The hub

/** What goes wrong on the hub, and what is said of it. */
const HUB_FAULTS: Readonly<Record<string, [(hub: LocalHub) => void, RegExp]>> = {
  "a flipped byte": [
    (hub) => hub.misbehave(`/storage/${MODEL}/${VISION}`, { flipAt: CUT }),
    /^error: Cannot use onnx\/vision_model\.onnx of someone\/clip-tiny: .*hash.* run it again/,
  ],
  "a file that is listed and not there": [
    (hub) =>
      hub.misbehave("/tokenizer.json", {
        status: 404,
        headers: { "x-error-code": "EntryNotFound" },
      }),
    /^error: Cannot fetch tokenizer\.json of someone\/clip-tiny from .*404.*Run it again/,
  ],
  "a connection that is cut each time": [
    (hub) => hub.misbehave(`/storage/${MODEL}/${VISION}`, { cutAt: CUT }),
    /^error: Cannot fetch onnx\/vision_model\.onnx of .*run it again: what has come is kept/,
  ],
  "a storage that refuses": [
    (hub) => hub.misbehave("/storage/", { status: 403 }),
    /^error: Cannot fetch onnx\/vision_model\.onnx of .*403.*Run it again for a new address/,
  ],
};

Deno.test("build says in a sentence what is wrong with the hub, and leaves no bundle", async () => {
  await Promise.all(
    Object.values(HUB_FAULTS).map(async ([misbehave, why]) => {
      await using scene = await Scene.set();
      misbehave(scene.hub);
      await scene.assertFailed(await scene.build({ token: TOKEN }), why);
    }),
  );
});

Deno.test("build names the files that a hub's model lacks, before it fetches any", async () => {
  const { [TEXT]: _, ...files } = CLIP.files;
  await using scene = await Scene.set({ files });
  await scene.assertFailed(
    await scene.build(),
    /^error: someone\/clip-tiny has no onnx\/text_model\.onnx: a .*model with ONNX files is needed/,
  );
  assert.deepEqual(scene.hub.contentRequests, []);
});

Deno.test("build asks for HF_TOKEN where a model wants one, and does not print a wrong one", async () => {
  await using scene = await Scene.set({ token: "another" });
  await scene.assertFailed(await scene.build(), /wants a token \(401.* set HF_TOKEN to a token of/);
  await scene.assertFailed(
    await scene.build({ token: TOKEN }),
    /does not accept the token \(401.* in HF_TOKEN is still valid/,
  );
});

Deno.test("build prints no password that the hub's address holds, and uses it", async () => {
  await using scene = await Scene.set();
  const endpoint = scene.hub.endpoint.replace("//", `//user:${TOKEN}@`);
  scene.hub.misbehave("/storage/", { flipAt: CUT });
  await scene.assertFailed(await scene.build({ endpoint }), /what http:\/\/127\.0\.0\.1:\d+ sent/);
  for (const { server, authorization } of scene.hub.requests) {
    const basic = `Basic ${btoa(`user:${TOKEN}`)}`;
    assert.equal(authorization, server === "hub" ? basic : undefined);
  }
  await scene.assertFailed(await scene.build({ endpoint, model: "no/body" }), /no such model/);
});

Deno.test("build tries again when it asked too often, and says how long to wait when that does not help", async () => {
  await using scene = await Scene.set();
  scene.hub.misbehave(CONFIG, { status: 429, headers: { "retry-after": "0" } }, 1);
  scene.hub.misbehave(CONFIG, { status: 429, headers: { "retry-after": "3600" } });
  await scene.assertFailed(
    await scene.build(),
    /asked too often \(429.*\)\. Wait 3600 seconds and run it again.*HF_TOKEN/,
  );
  assert.equal(scene.hub.contentRequests.length, 2);
});

// ---------------------------------------------------------------------------------------------------------------------
// The model and the disk

/** Models that do not fit, and what is said of them; towers of two sizes are tried with the build itself. */
const WRONG_MODELS: Readonly<Record<string, [Partial<Files>, RegExp]>> = {
  "a text tower of another context": [
    {
      [CONFIG]: new TextEncoder().encode(
        JSON.stringify({ model_type: "clip", text_config: { max_position_embeddings: 32 } }),
      ),
    },
    /^error: .*text encoder/,
  ],
  "an image tower of another picture": [
    {
      "preprocessor_config.json": new TextEncoder().encode(JSON.stringify({
        size: 48,
        crop_size: 48,
        image_mean: SYNTHETIC_PREPROCESSING.mean,
        image_std: SYNTHETIC_PREPROCESSING.std,
      })),
    },
    /^error: Cannot run the encoder .*vision_model\.onnx on a picture of 48 x 48 pixels/,
  ],
  "an image tower that takes words": [
    { [VISION]: CLIP.files[TEXT] },
    /^error: Cannot (run|use) the encoder/,
  ],
  "a text tower that takes pixels": [
    { [TEXT]: CLIP.files[VISION] },
    /^error: Cannot use the text encoder: it takes pixel_values, and should take input_ids/,
  ],
};

for (const [name, [change, why]] of Object.entries(WRONG_MODELS)) {
  Deno.test(`build refuses ${name} in a sentence, and leaves no bundle`, async () => {
    await using scene = await Scene.set();
    const model = await scene.writeModel({ ...CLIP.files, ...change } as Files);
    await scene.assertFailed(await scene.build({ model }), why);
  });
}

Deno.test({
  name: "build says that a bundle's file cannot be written, and leaves none of it",
  ignore: Deno.build.os === "windows",
  fn: async () => {
    await using scene = await Scene.set();
    const model = await scene.writeModel(CLIP.files);
    // A limit to the size of files stands in for a full disk: the encoder has more than 2048 bytes.
    await scene.assertFailed(
      await scene.build({ model, largestFile: 4 }),
      /^error: Cannot write the bundle .*\/place\/bundle: .*(too large|os error)/,
    );
  },
});

Deno.test({
  name: "build says that the cache cannot be written, and leaves no bundle",
  ignore: Deno.build.os === "windows",
  fn: async () => {
    await using scene = await Scene.set();
    await scene.assertFailed(
      await scene.build({ largestFile: 4 }),
      /^error: Cannot keep the files of someone\/clip-tiny in .*set HF_HOME to a folder elsewhere/,
    );
  },
});

Deno.test("build says that a bundle's place is below a file, which stays as it is", async () => {
  await using scene = await Scene.set();
  const model = await scene.writeModel(CLIP.files);
  const file = `${scene.folder}/notes.txt`;
  await Deno.writeTextFile(file, "mine");
  const run = await scene.build({ model, out: `${file}/bundle` });
  await scene.assertFailed(run, /^error: Cannot write .*notes\.txt\/bundle: /);
  assert.equal(await Deno.readTextFile(file), "mine");
});

Deno.test({
  name: "build says that a bundle's place may not be written to",
  // Who may do everything is not held by a folder's permissions.
  ignore: Deno.build.os === "windows" || Deno.uid() === 0,
  fn: async () => {
    await using scene = await Scene.set();
    const model = await scene.writeModel(CLIP.files);
    await Deno.chmod(`${scene.folder}/place`, 0o500);
    await scene.assertFailed(
      await scene.build({ model }),
      /^error: Cannot write the bundle .*\/place\/bundle: .*[Pp]ermission/,
    );
  },
});

// ---------------------------------------------------------------------------------------------------------------------
// Who runs it

/** The scores of a taxonomy's labels by id, from both towers in double precision. */
function expectedScores(taxonomy: string, pixels: Float32Array): Map<string, number> {
  const labels = findTaxonomy(taxonomy)?.labels ?? [];
  const image = CLIP.imageEmbedding(pixels);
  const logits = labels.map(({ prompt }) => {
    const text = CLIP.textEmbedding(prompt);
    const dot = image.reduce((sum, v, i) => sum + v * text[i], 0);
    return 100 * dot / Math.hypot(...image) / Math.hypot(...text);
  });
  const largest = Math.max(...logits);
  const powers = logits.map((z) => Math.exp(z - largest));
  const total = powers.reduce((a, b) => a + b);
  return new Map(labels.map(({ id }, k) => [id, powers[k] / total]));
}

/** Asserts that a served bundle scores a picture as the towers do in double precision. */
async function assertServes(bundle: string): Promise<void> {
  const picture = await readPicture("storm.jpg");
  const pixels = preprocess(
    await decodePicture(picture.slice(), createDecoders(), 1e7),
    SYNTHETIC_PREPROCESSING,
  );
  const server = await startServer(bundle, "--workers", "1");
  const { predictions } = await classifyOverHttp(server.url, picture).finally(() => server.stop());
  assert.deepEqual(predictions.map((it) => it.taxonomy), TAXONOMIES.map(({ id }) => id));
  for (const { taxonomy, method, scores } of predictions) {
    assert.equal(method, "zero-shot");
    const expected = expectedScores(taxonomy, pixels);
    for (const { label, score } of scores) {
      const wanted = expected.get(label) ?? NaN;
      assert.ok(Math.abs(score - wanted) < 1e-4, `${taxonomy} ${label}: ${score}, not ${wanted}`);
    }
  }
}

for (const signal of ["SIGKILL", "SIGINT"] as const) {
  Deno.test({
    name:
      `build ended by ${signal} goes on when it is run again, fetches nothing twice, and its bundle serves`,
    ignore: Deno.build.os === "windows",
    fn: async () => {
      await using scene = await Scene.set();
      scene.hub.misbehave(`/storage/${MODEL}/${VISION}`, { silentAt: CUT }, 1);
      const process = await scene.start();
      const ended = result(process);
      await scene.waitForCut();
      process.kill(signal);
      const run = await ended;
      if (signal === "SIGINT") {
        await scene.assertFailed(run, /^error: Stopped\. What was fetched is kept: run it again/);
      } else {
        assert.deepEqual(await Array.fromAsync(Deno.readDir(`${scene.folder}/place`)), []);
      }

      // The server reads nothing outside the project.
      const place = await makeTemporaryFolder("build_faults");
      try {
        const bundle = `${place.path}/bundle`;
        const again = await scene.build({ out: new URL(bundle, ROOT).pathname });
        assert.equal(again.code, 0, again.stderr);
        const asked = scene.hub.contentRequests.map(({ path }) =>
          path.split(/\/resolve\/[^/]+\//)[1]
        );
        assert.deepEqual(asked.sort(), [...Object.keys(CLIP.files), VISION].sort());
        const ranges = scene.hub.requests
          .filter(({ server, path }) => server === "storage" && path.endsWith(VISION))
          .map(({ range }) => range);
        assert.deepEqual(ranges, [undefined, `bytes=${CUT}-${CLIP.files[VISION].length - 1}`]);
        await assertServes(bundle);
      } finally {
        await place.remove();
      }
    },
  });
}

Deno.test({
  name: "build ended by SIGINT while it encodes prompts says so at once, and leaves no bundle",
  ignore: Deno.build.os === "windows",
  fn: async () => {
    await using scene = await Scene.set();
    const model = await scene.writeModel(CLIP.files);
    const labels = `${scene.folder}/labels.json`;
    const prompts = Array.from({ length: 200_000 }, () => "a sunny day");
    await Deno.writeTextFile(
      labels,
      JSON.stringify({ id: "weather", labels: [{ id: "sun", prompts }, { id: "rain", prompts }] }),
    );
    const process = await scene.start({ model, labels });
    const ended = result(process);
    // Long before the prompts are done, and long after the program has begun.
    await new Promise((resolve) => setTimeout(resolve, 2500));
    process.kill("SIGINT");
    const tooLate = setTimeout(() => process.kill("SIGKILL"), 3000);
    const run = await ended;
    clearTimeout(tooLate);
    await scene.assertFailed(run, /^error: Stopped/);
  },
});
