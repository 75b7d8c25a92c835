/**
 * Makes a network smaller: channels inside its blocks go one after another, first the one by whose loss the embedding changes
 * least for the work that is saved. What a channel did, those that stay take over, as well as they vary with it (Hassibi and
 * Stork, "Second order derivatives for network pruning: optimal brain surgeon", 1992; here for channels instead of weights).
 */

import type { OnnxConvolution, OnnxLayer, OnnxLayers } from "../onnx_layers.ts";
import type { ChannelGroup } from "./channel_groups.ts";
import type { ChannelStatistics } from "./channel_statistics.ts";

/** Keeps what is inverted from being singular: this share of the mean variance is added to each. */
const RIDGE = 1e-3;

/** So many channels stay in each group: a kernel of one channel does not tell that it is depthwise. */
const LEAST = 2;

/**
 * Cuts a network.
 *
 * @param network which; it is not changed
 * @param groups of its channels
 * @param statistics of each group
 * @param limit multiplications that may be left in the groups, for a picture
 * @returns a smaller network
 */
export function cutLayers(
  network: OnnxLayers,
  groups: readonly ChannelGroup[],
  statistics: readonly ChannelStatistics[],
  limit: number,
): OnnxLayers {
  const cuts = groups.map((group, g) => new Cut(group, statistics[g]));
  while (cuts.reduce((sum, { work }) => sum + work, 0) > limit) {
    const choice = cuts.filter(({ left }) => left > LEAST);
    if (choice.length === 0) break;
    const cut = choice.reduce((a, b) => b.least.price < a.least.price ? b : a);
    cut.remove(cut.least.channel);
  }
  // In the order of the network: what reads one group may make the next one.
  const layers = cuts.reduce((layers, cut) => cut.applyTo(layers), network.layers);
  return { ...network, layers };
}

/** A group of which channels go. */
class Cut {
  readonly #group: ChannelGroup;
  readonly #statistics: ChannelStatistics;
  readonly #count: number;
  /** `[C, C]`, of the covariance of those that stay; else 0. */
  readonly #inverse: Float64Array;
  /** The reader's, `[O, C]`. */
  readonly #kernel: Float64Array;
  readonly #bias: Float64Array;
  readonly #stay: Set<number>;
  #least: { readonly channel: number; readonly price: number } | undefined;

  constructor(group: ChannelGroup, statistics: ChannelStatistics) {
    this.#group = group;
    this.#statistics = statistics;
    this.#count = statistics.mean.length;
    this.#inverse = invertCovariance(statistics);
    this.#kernel = Float64Array.from(group.reader.kernel.data);
    this.#bias = Float64Array.from(group.reader.bias);
    this.#stay = new Set(statistics.mean.keys());
  }

  /** Channels that stay. */
  get left(): number {
    return this.#stay.size;
  }

  /** Multiplications that they take, in a picture. */
  get work(): number {
    return this.#stay.size * this.#statistics.work;
  }

  /** The channel that is worth least, and what the embedding's change without it is for each multiplication saved. */
  get least(): { readonly channel: number; readonly price: number } {
    if (this.#least) return this.#least;
    const { weight, work } = this.#statistics;
    let least = { channel: -1, price: Infinity };
    for (const c of this.#stay) {
      const square = weight.reduce((sum, x, o) => sum + x * this.#at(o, c) ** 2, 0);
      const price = square / this.#inverse[c * this.#count + c] / work;
      if (price < least.price) least = { channel: c, price };
    }
    return this.#least = least;
  }

  /** Removes a channel: the others stand in for it, by how it varied with them. */
  remove(channel: number): void {
    const n = this.#count;
    const { mean } = this.#statistics;
    const row = this.#inverse.slice(channel * n, (channel + 1) * n);
    const own = row[channel];
    this.#stay.delete(channel);
    this.#least = undefined;
    let rest = mean[channel];
    for (const j of this.#stay) rest += row[j] / own * mean[j];
    for (let o = 0; o < this.#bias.length; o++) {
      const weight = this.#at(o, channel);
      this.#bias[o] += weight * rest;
      for (const j of this.#stay) this.#kernel[o * n + j] -= weight * row[j] / own;
    }
    for (const i of this.#stay) {
      const factor = row[i] / own;
      for (const j of this.#stay) this.#inverse[i * n + j] -= factor * row[j];
    }
  }

  /** Layers without what was removed; the reader must still make all that it did. */
  applyTo(layers: readonly OnnxLayer[]): readonly OnnxLayer[] {
    const { maker, depthwise, reader } = this.#group;
    const kept = [...this.#stay];
    const own = new Set([maker, ...depthwise].map(({ name }) => name));
    const [units] = reader.kernel.shape;
    const data = Float32Array.from(
      { length: units * kept.length },
      (_, i) => this.#at(Math.floor(i / kept.length), kept[i % kept.length]),
    );
    const kernel = { shape: [units, kept.length, 1, 1], data };
    const bias = Float32Array.from(this.#bias);
    return layers.map((layer) => {
      if (layer.kind !== "convolution") return layer;
      if (layer.name === reader.name) return { ...layer, kernel, bias };
      return own.has(layer.name) ? pickUnits(layer, kept) : layer;
    });
  }

  #at(unit: number, channel: number): number {
    return this.#kernel[unit * this.#count + channel];
  }
}

function pickUnits(layer: OnnxConvolution, units: readonly number[]): OnnxConvolution {
  const { kernel: { shape, data }, bias } = layer;
  const length = data.length / shape[0];
  const picked = new Float32Array(units.length * length);
  units.forEach((u, i) => picked.set(data.subarray(u * length, (u + 1) * length), i * length));
  return {
    ...layer,
    kernel: { shape: [units.length, ...shape.slice(1)], data: picked },
    bias: Float32Array.from(units, (u) => bias[u]),
  };
}

/** By Gauss and Jordan: the matrix is symmetric and positive. */
function invertCovariance({ mean, products }: ChannelStatistics): Float64Array {
  const n = mean.length;
  const a = products.map((x, k) => x - mean[Math.floor(k / n)] * mean[k % n]);
  let trace = 0;
  for (let i = 0; i < n; i++) trace += a[i * n + i];
  for (let i = 0; i < n; i++) a[i * n + i] += RIDGE * trace / n;
  for (let p = 0; p < n; p++) {
    const pivot = 1 / a[p * n + p];
    a[p * n + p] = 1;
    for (let j = 0; j < n; j++) a[p * n + j] *= pivot;
    for (let i = 0; i < n; i++) {
      const factor = a[i * n + p];
      if (i === p || factor === 0) continue;
      a[i * n + p] = 0;
      for (let j = 0; j < n; j++) a[i * n + j] -= factor * a[p * n + j];
    }
  }
  return a;
}
