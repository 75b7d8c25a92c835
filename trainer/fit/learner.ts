/**
 * A head while it learns: its weights, Adam's averages, and the best weights so far.
 */

import { jit, numpy as np, type OwnedFunction, tree } from "@jax-js/jax";
import type { Dense, Tensor } from "@clip-e/shared";
import { adamW, applyUpdates, type Arrays } from "./adam.ts";
import { TrainerError } from "../errors.ts";
import type { Random } from "../random.ts";
import type { Batch } from "./batch.ts";
import type { Device } from "./device.ts";
import type { HeadParams, Objective } from "./objective.ts";
import { fromTensors, toTensors } from "./tensors.ts";

type Update = (
  weights: HeadParams,
  gradients: HeadParams,
  adam: Arrays,
  rate: np.Array,
) => [HeadParams, Arrays];

/** Takes steps. */
export class Learner {
  readonly #objective: Objective;
  readonly #device: Device;
  readonly #update: OwnedFunction<Update>;
  #weights: HeadParams;
  #adam: Arrays;
  #best: HeadParams;
  /** Of steps whose loss has not been read. */
  #losses: np.Array[] = [];
  #sum = 0;
  #steps = 0;

  /**
   * Starts with first weights.
   *
   * @param objective whose loss is made small
   * @param device what computes
   * @param weightDecay of AdamW
   * @param random from which first weights are drawn
   */
  constructor(objective: Objective, device: Device, weightDecay: number, random: Random) {
    const optimizer = adamW<HeadParams>(weightDecay);
    this.#objective = objective;
    this.#device = device;
    this.#update = jit((weights, gradients, adam, rate) => {
      const [updates, next] = optimizer.update(gradients, adam as Arrays[], weights);
      const steps = tree.map<np.Array, np.Array, HeadParams>((u) => u.mul(rate.ref), updates);
      rate.dispose();
      return [applyUpdates(weights, steps as HeadParams), next];
    }) as OwnedFunction<Update>;
    this.#weights = objective.init(random);
    this.#adam = optimizer.init(this.#weights);
    this.#best = tree.ref(this.#weights);
  }

  /** Of the head, as they are; not to be consumed. */
  get weights(): HeadParams {
    return this.#weights;
  }

  /**
   * Makes a batch's loss smaller.
   *
   * @param batch consumed
   * @param rate the size of the step
   */
  async step(batch: Batch, rate: number): Promise<void> {
    const [loss, gradients] = this.#objective.differentiate(tree.ref(this.#weights), batch);
    this.#losses.push(loss);
    const size = np.array(Float32Array.of(-rate), { shape: [] });
    [this.#weights, this.#adam] = this.#update(this.#weights, gradients, this.#adam, size);
    if (this.#losses.length >= this.#device.readEvery) await this.#readLosses();
  }

  /**
   * The mean loss of the steps since it was last asked for, each before its step.
   *
   * @throws {TrainerError} when a loss is not a finite number
   */
  async meanLoss(): Promise<number> {
    await this.#readLosses();
    const mean = this.#sum / this.#steps;
    [this.#sum, this.#steps] = [0, 0];
    return mean;
  }

  /** Remembers the weights, as the best so far. */
  keep(): void {
    tree.dispose(this.#best);
    this.#best = tree.ref(this.#weights);
  }

  /** The best layers, by name, off the device. */
  async bestLayers(): Promise<Record<string, Dense>> {
    const layers: Record<string, Dense> = {};
    for (const [name, { kernel, bias }] of Object.entries(this.#best)) {
      const [inputs, units] = kernel.shape;
      layers[name] = {
        inputs,
        units,
        kernel: await this.#device.read(kernel.ref),
        bias: await this.#device.read(bias.ref),
      };
    }
    return layers;
  }

  /** Everything, to go on from later. */
  save(): Promise<Record<string, Tensor>> {
    const trees = { weights: this.#weights, adam: this.#adam, best: this.#best };
    return toTensors(trees, this.#device);
  }

  /**
   * Goes on from what was saved.
   *
   * @param tensors of `save`
   * @throws {TrainerError} when they are of another head
   */
  restore(tensors: Readonly<Record<string, Tensor>>): void {
    this.#weights = fromTensors("weights", this.#weights, tensors);
    this.#adam = fromTensors("adam", this.#adam, tensors);
    this.#best = fromTensors("best", this.#best, tensors);
  }

  /** Frees what is on the device. */
  dispose(): void {
    tree.dispose([this.#weights, this.#adam, this.#best, this.#losses]);
    this.#update.dispose();
  }

  async #readLosses(): Promise<void> {
    const losses = this.#losses;
    this.#losses = [];
    for (const [i, loss] of losses.entries()) {
      const [value] = await this.#device.read(loss);
      if (!Number.isFinite(value)) {
        tree.dispose(losses.slice(i + 1));
        throw notFinite(value);
      }
      this.#sum += value;
      this.#steps++;
    }
  }
}

/**
 * Says how to mend a loss.
 *
 * @param loss NaN or infinite
 */
export function notFinite(loss: number): TrainerError {
  return new TrainerError(
    `Cannot fit the head: the loss became ${loss}. Give a lower learning rate`,
  );
}
