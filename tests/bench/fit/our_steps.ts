/**
 * The training steps of trainer/fit/, on examples that NumPy can be given too.
 */

import { tree } from "@jax-js/jax";
import type { numpy as np } from "@jax-js/jax";
import { join } from "node:path";
import { cpuUsage } from "node:process";
import { BatchSource } from "../../../trainer/fit/batch.ts";
import { WASM } from "../../../trainer/fit/device.ts";
import type { FitData } from "../../../trainer/fit/fit_data.ts";
import { chooseSettings, type HeadPlan } from "../../../trainer/fit/fit_options.ts";
import { Inputs } from "../../../trainer/fit/inputs.ts";
import { narrow } from "../../../trainer/fit/layers.ts";
import { Learner } from "../../../trainer/fit/learner.ts";
import { planObjective } from "../../../trainer/fit/plan_objective.ts";
import { Random } from "../../../trainer/random.ts";
import type { StepTimes } from "./numpy_process.ts";

/** Of so many examples NumPy is given a copy; ours come from the whole matrix. */
const SHARED = 16_384;

/** Steps of one head, in the paper's way. */
export class OurSteps implements Disposable {
  readonly #learner: Learner;
  readonly #source: BatchSource;
  readonly #order: number[][];
  readonly #objective;
  #at = 0;

  /**
   * @param data of which batches are taken
   * @param plan of the head
   * @param batchSize examples in a step
   */
  constructor(readonly data: FitData, readonly plan: HeadPlan, batchSize: number) {
    const settings = chooseSettings({ preset: "paper", batchSize }, plan, batchSize, data.size);
    const random = new Random(7);
    this.#objective = planObjective(plan, settings, data);
    this.#learner = new Learner(this.#objective, WASM, 0, random);
    const inputs = new Inputs({ ...data, input: "raw", standardizeBy: undefined });
    const weights = new Float64Array(data.classes).fill(1);
    this.#source = new BatchSource({
      ...data,
      inputs,
      batchSize,
      weights,
      objective: this.#objective,
    });
    const rows = random.shuffled(
      Array.from({ length: Math.min(SHARED, data.targets.length) }, (_, i) => i),
    );
    const batches = Math.floor(rows.length / batchSize);
    this.#order = Array.from(
      { length: batches },
      (_, i) => rows.slice(i * batchSize, (i + 1) * batchSize),
    );
  }

  /** Writes what NumPy needs to take the same steps: before the first. */
  async share(folder: string): Promise<void> {
    const shapes: Record<string, number[]> = {};
    const write = async (name: string, values: Float32Array, shape: number[]) => {
      shapes[name] = shape;
      const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
      await Deno.writeFile(join(folder, `${name}.f32`), bytes);
    };
    const { size, embeddings, targets, classes } = this.data;
    const count = Math.min(SHARED, targets.length);
    const layers = Object.entries(this.#learner.weights);
    for (const [i, [name, { kernel, bias }]] of layers.entries()) {
      const [inputs, units] = kernel.shape;
      const padded = { inputs, units, kernel: toFloats(kernel), bias: toFloats(bias) };
      // Padding is ours alone.
      const layer = narrow(padded, name === "preds" ? classes : units);
      await write(`w${i + 1}`, layer.kernel, [inputs, layer.units]);
      await write(`b${i + 1}`, layer.bias, [layer.units]);
    }
    await write("x", embeddings.subarray(0, count * size), [count, size]);
    const soft = Array.from(
      targets.subarray(0, count),
      (t) => [...this.#objective.targets[t].subarray(0, classes)],
    );
    await write("targets", Float32Array.from(soft.flat()), [count, classes]);
    const order = this.#order.flat();
    const batchSize = this.#source.batchSize;
    await write("order", Float32Array.from(order), [order.length / batchSize, batchSize]);
    const prompts = this.plan.kind === "contrastive"
      ? this.plan.prompts.vectors
      : Float32Array.of();
    await write("prompts", prompts, [prompts.length / size, size]);
    await Deno.writeTextFile(join(folder, "arrays.json"), JSON.stringify(shapes));
  }

  /** Takes steps. */
  async steps(count: number, rate: number): Promise<StepTimes> {
    const losses: number[] = [];
    const [start, startCpu] = [performance.now(), cpuUsage()];
    for (let i = 0; i < count; i++) {
      const rows = this.#order[this.#at++ % this.#order.length];
      await this.#learner.step(this.#source.take(rows), rate);
      losses.push(await this.#learner.meanLoss());
    }
    tree.leaves<np.Array>(this.#learner.weights).forEach((w) => w.ref.dataSync());
    const { user, system } = cpuUsage(startCpu); // microseconds
    const seconds = (performance.now() - start) / 1000;
    return { seconds, cpuSeconds: (user + system) / 1e6, losses };
  }

  [Symbol.dispose](): void {
    this.#learner.dispose();
    this.#objective.dispose();
  }
}

function toFloats(array: np.Array): Float32Array {
  return Float32Array.from(array.ref.dataSync());
}
