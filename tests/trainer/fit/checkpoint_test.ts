import { join } from "node:path";
import assert from "node:assert/strict";
import { TrainerError } from "../../../trainer/errors.ts";
import type { FitOptions, HeadPlan } from "../../../trainer/fit/fit_options.ts";
import { PLANS, run } from "./fit_child.ts";

const CHILD = new URL("fit_child.ts", import.meta.url).pathname;

/** Lets a process train, and kills it as soon as it has said an epoch. */
async function killAfter(epoch: number, plan: string, path: string, everyEpochs: number) {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--allow-all", CHILD, plan, path, String(everyEpochs)],
    stdout: "piped",
  }).spawn();
  let said = "";
  for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
    said += text;
    if (!said.split("\n").includes(String(epoch))) continue;
    try {
      child.kill("SIGKILL");
    } catch {
      // It has ended by itself, which the assertion below tells.
    }
    break;
  }
  const { signal } = await child.status;
  assert.equal(signal, "SIGKILL", "it ended before it was killed");
}

async function inFolder(work: (folder: string) => Promise<void>) {
  const folder = await Deno.makeTempDir();
  try {
    await work(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function namesIn(folder: string): Promise<string[]> {
  return (await Array.fromAsync(Deno.readDir(folder), ({ name }) => name)).sort();
}

Deno.test("fit() that was killed goes on, and ends with the same bits as one that was not", async () => {
  await inFolder(async (folder) => {
    for (
      const [plan, epoch, everyEpochs] of [["contrastive", 5, 1], ["cross-entropy", 5, 3]] as const
    ) {
      const path = join(folder, `${plan}.json`);
      await killAfter(epoch, plan, path, everyEpochs);
      const seen: number[] = [];
      const resumed = await run(PLANS[plan], { path, everyEpochs }, {
        onEpoch: ({ epoch }) => seen.push(epoch),
      });
      assert.ok(seen[0] > epoch - everyEpochs && seen[0] > 1, `it began with epoch ${seen[0]}`);
      assert.deepEqual(resumed, await run(PLANS[plan], undefined));
    }
  });
});

Deno.test("fit() goes on from each epoch that it was cut off after, with every head", async () => {
  await inFolder(async (folder) => {
    for (const [name, plan] of Object.entries(PLANS)) {
      const whole = await run(plan, undefined);
      for (const [last, everyEpochs] of [[1, 1], [6, 1], [7, 4]]) {
        const path = join(folder, "some", "where", `${name}-${last}.json`);
        const enough = new Error("enough");
        const controller = new AbortController();
        const cut = run(plan, { path, everyEpochs }, {
          signal: controller.signal,
          onEpoch: ({ epoch }) => epoch === last && controller.abort(enough),
        });
        await assert.rejects(cut, (error) => error === enough);
        assert.deepEqual(await run(plan, { path, everyEpochs }), whole, `${name}, ${last}`);
      }
    }
  });
});

Deno.test("fit() that has ended gives its head again from the checkpoint, at once", async () => {
  await inFolder(async (folder) => {
    const path = join(folder, "run.json");
    const options = { maxEpochs: 5, patience: 2 };
    const first = await run(PLANS.contrastive, { path, everyEpochs: 100 }, options);
    const onEpoch = () => assert.fail("it trained again");
    assert.deepEqual(await run(PLANS.contrastive, { path }, { ...options, onEpoch }), first);
    assert.deepEqual(await namesIn(folder), [
      "run.json",
      `run.json.${first.history.length}.safetensors`,
    ]);
  });
});

Deno.test("fit() refuses a checkpoint of other data, options or head, in a sentence", async () => {
  await inFolder(async (folder) => {
    const path = join(folder, "run.json");
    await run(PLANS.contrastive, { path }, { maxEpochs: 1 });
    const bytes = await Deno.readFile(path);
    const other: [HeadPlan, FitOptions][] = [
      [PLANS.contrastive, { maxEpochs: 2 }],
      [PLANS.contrastive, { maxEpochs: 1, seed: 1 }],
      [PLANS.contrastive, { maxEpochs: 1, learningRate: 1e-3 }],
      [PLANS.adapter, { maxEpochs: 1 }],
    ];
    const refused = (error: unknown) => {
      assert.ok(error instanceof TrainerError, String(error));
      assert.match(error.message, /saved in .*run\.json: it was of other data or other options/);
      assert.match(error.message, /Delete it, or save elsewhere/);
      return true;
    };
    for (const [plan, options] of other) {
      await assert.rejects(run(plan, { path }, options), refused);
    }
    assert.deepEqual(await Deno.readFile(path), bytes, "what was refused has changed");
  });
});

Deno.test("fit() refuses a checkpoint that is damaged", async () => {
  await inFolder(async (folder) => {
    const path = join(folder, "run.json");
    const work = () => run(PLANS["cross-entropy"], { path }, { maxEpochs: 1 });
    await work();
    const tensors = join(folder, "run.json.1.safetensors");
    const bytes = await Deno.readFile(tensors);
    bytes[bytes.length - 3] ^= 1;
    await Deno.writeFile(tensors, bytes);
    await assert.rejects(work(), /the bytes of run\.json\.1\.safetensors have changed/);
    await Deno.remove(tensors);
    await assert.rejects(work(), TrainerError);
    for (const text of ["", "[]", "null", '{"format": 2}']) {
      await Deno.writeTextFile(path, text);
      await assert.rejects(work(), /it is not a checkpoint of this version/);
    }
  });
});
