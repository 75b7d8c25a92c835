/**
 * The three losses once more, written from their definitions in plain double precision, without any of the shortcuts that
 * the trainer takes. Gradients come from central differences of these: nothing here trusts a derivative.
 */

/** A matrix, row by row. */
export type Rows = readonly (readonly number[])[];

/** A dense layer: `[inputs][units]`, and `[units]`. */
export interface PlainDense {
  kernel: number[][];
  bias: number[];
}

/** A head: its hidden layer and its output layer. */
export type PlainHead = readonly [PlainDense, PlainDense];

function dense({ kernel, bias }: PlainDense, x: readonly number[]): number[] {
  return bias.map((b, j) => x.reduce((sum, v, i) => sum + v * kernel[i][j], b));
}

/** The hidden layer of one example before its ReLU. */
export function beforeRelu([hidden]: PlainHead, x: readonly number[]): number[] {
  return dense(hidden, x);
}

/** The output of one example. */
export function output(head: PlainHead, x: readonly number[]): number[] {
  return dense(head[1], beforeRelu(head, x).map((v) => Math.max(0, v)));
}

function dot(a: readonly number[], b: readonly number[]): number {
  return a.reduce((sum, v, i) => sum + v * b[i], 0);
}

/** A vector divided by its length. */
export function unit(v: readonly number[]): number[] {
  return v.map((x) => x / Math.sqrt(dot(v, v)));
}

function logSoftmax(z: readonly number[]): number[] {
  const largest = Math.max(...z);
  const total = z.reduce((sum, v) => sum + Math.exp(v - largest), 0);
  return z.map((v) => v - largest - Math.log(total));
}

/** `-Σ q log softmax(z)`. */
function crossEntropy(q: readonly number[], z: readonly number[]): number {
  return -dot(q, logSoftmax(z));
}

function smooth(label: number, classes: number, smoothing: number): number[] {
  return Array.from(
    { length: classes },
    (_, k) => (k === label ? 1 - smoothing : 0) + smoothing / classes,
  );
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, v) => sum + v, 0) / values.length;
}

/** Examples, and what is known of them. */
export interface Examples {
  /** `[B, D]`. */
  readonly x: Rows;
  /** `[B]`, below K. */
  readonly labels: readonly number[];
  /** `[B]`: how much each counts. */
  readonly weights: readonly number[];
  /** Dealt out to all labels alike. */
  readonly smoothing: number;
}

/** Softmax cross entropy over K units. */
export function plainSoftmaxLoss(
  head: PlainHead,
  { x, labels, weights, smoothing }: Examples,
): number {
  return mean(x.map((row, i) => {
    const z = output(head, row);
    return weights[i] * crossEntropy(smooth(labels[i], z.length, smoothing), z);
  }));
}

/** Binary cross entropy of one unit, which is the logit of label 1. */
export function plainSigmoidLoss(
  head: PlainHead,
  { x, labels, weights, smoothing }: Examples,
): number {
  return mean(x.map((row, i) => {
    const p = 1 / (1 + Math.exp(-output(head, row)[0]));
    const target = labels[i] * (1 - smoothing) + smoothing / 2;
    return -weights[i] * (target * Math.log(p) + (1 - target) * Math.log(1 - p));
  }));
}

/** CLIP-E's contrastive loss, with a text for each picture. */
export function plainContrastiveLoss(
  head: PlainHead,
  x: Rows,
  texts: Rows,
  temperature: number,
): number {
  const images = x.map((row) => unit(output(head, row)));
  const products = (a: Rows, b: Rows) => a.map((v) => b.map((w) => dot(v, w)));
  const transpose = (m: Rows) => m[0].map((_, j) => m.map((row) => row[j]));
  const logits = products(texts, images).map((row) => row.map((v) => v / temperature));
  const [text, image] = [products(texts, texts), products(images, images)];
  const targets = text.map((row, i) =>
    logSoftmax(row.map((v, j) => (v + image[i][j]) / (2 * temperature))).map(Math.exp)
  );
  const over = (q: Rows, z: Rows) => mean(q.map((row, i) => crossEntropy(row, z[i])));
  return (over(targets, logits) + over(transpose(targets), transpose(logits))) / 2;
}

/** The adapter's: cross entropy over prompts of the embedding mixed with the projection's direction. */
export function plainAdapterLoss(
  head: PlainHead,
  { x, labels, weights, smoothing }: Examples,
  embeddings: Rows,
  prompts: Rows,
  blend: number,
  temperature: number,
): number {
  return mean(x.map((row, i) => {
    const [a, u] = [unit(output(head, row)), unit(embeddings[i])];
    const z = unit(a.map((v, d) => blend * v + (1 - blend) * u[d]));
    const logits = prompts.map((prompt) => dot(z, prompt) / temperature);
    return weights[i] * crossEntropy(smooth(labels[i], prompts.length, smoothing), logits);
  }));
}
