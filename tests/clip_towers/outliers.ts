/**
 * Outlier channels, which make transformers hard to quantise: in a trained CLIP a few channels come
 * out of a LayerNorm many times larger than the rest, and one scale for all of them leaves the rest
 * little precision.
 */

import type { EncoderShape } from "./shapes.ts";
import type { Weights } from "./weights.ts";

/** Which outliers to plant. */
export interface Outliers {
  /** The layers, from 0, whose two LayerNorms have them. */
  readonly layers: readonly number[];
  /** How many channels. */
  readonly channels: number;
  /** How many times larger than the others their gains are, and so their activations. */
  readonly factor: number;
  /**
   * How many times larger the rows are that multiply them, in q, k, v and fc1; the square root of
   * `factor` unless given. With 1 / `factor` the model says what it says without outliers, and the
   * small channels still bear what it says: the hardest case for one scale.
   */
  readonly rowFactor?: number;
}

/** The channels, spread evenly, the same in every layer, as those of real models are. */
export function outlierChannels(hidden: number, channels: number): number[] {
  return Array.from({ length: channels }, (_, i) => Math.floor((i + 0.5) * hidden / channels));
}

/**
 * Plants outliers, in place.
 *
 * @param weights of the tower
 * @param tower `vision_model` or `text_model`
 * @param shape of the tower
 */
export function plantOutliers(
  weights: Weights,
  tower: string,
  shape: EncoderShape,
  { layers, channels, factor, rowFactor = Math.sqrt(factor) }: Outliers,
): void {
  for (const i of layers) {
    const layer = `${tower}.encoder.layers.${i}`;
    const plant = (norm: string, ...readers: string[]) => {
      for (const channel of outlierChannels(shape.hidden, channels)) {
        for (const kind of ["weight", "bias"]) {
          scaleRow(weights, `${layer}.${norm}.${kind}`, shape.hidden, channel, factor);
        }
        for (const reader of readers) {
          scaleRow(weights, `${layer}.${reader}.weight`, shape.hidden, channel, rowFactor);
        }
      }
    };
    plant("layer_norm1", "self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj");
    plant("layer_norm2", "mlp.fc1");
  }
}

/** Scales one of a tensor's rows. */
function scaleRow(
  weights: Weights,
  name: string,
  rows: number,
  row: number,
  factor: number,
): void {
  const values = weights.get(name);
  if (!values) throw new RangeError(`Cannot plant an outlier: there is no ${name}`);
  const width = values.length / rows;
  for (let i = row * width; i < (row + 1) * width; i++) values[i] *= factor;
}
