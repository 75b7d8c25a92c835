/**
 * Reverse-mode differentiation of ONNX graphs, by adding the gradient's operators to the graph itself. ONNX Runtime's kernels
 * are several times faster than any that JavaScript has for training, on every backend, and a whole step of training as one
 * graph asks nothing else of it.
 *
 * Functions of `elementwise.ts`, `matrices.ts` and `convolution.ts` add an operator and note here how its gradient is made.
 */

import { type OnnxAttribute, OnnxGraph } from "../../encoder/onnx_graph.ts";

/** A tensor of 32-bit floats in the graph. */
export interface Value {
  /** In the graph. */
  readonly name: string;
  /** Where the first length is the batch, a model that takes any batch has 1 here. */
  readonly shape: readonly number[];
}

/** Makes the inputs' gradients from the output's; nothing for those whose gradient nobody needs. */
export type Backward = (gradient: Value) => readonly (Value | undefined)[];

interface Entry {
  readonly output: Value;
  readonly inputs: readonly Value[];
  readonly backward: Backward;
}

/** A graph that knows how to differentiate itself. */
export class Tape {
  /** What is written to. */
  readonly graph: OnnxGraph;
  readonly #entries: Entry[] = [];
  /** Names of values that depend on what is to be learned. */
  readonly #learned = new Set<string>();
  readonly #constants = new Map<string, string>();
  #names = 0;

  /** @param name the graph's name, for people who open the file */
  constructor(name: string) {
    this.graph = new OnnxGraph(name);
  }

  /**
   * An input.
   *
   * @param name new
   * @param shape its lengths
   */
  input(name: string, shape: readonly number[]): Value {
    this.graph.input(name, shape);
    return { name, shape };
  }

  /**
   * Says that gradients with respect to a value will be asked for.
   *
   * @returns the value
   */
  learn(value: Value): Value {
    this.#learned.add(value.name);
    return value;
  }

  /** A constant. */
  constant(shape: readonly number[], values: ArrayLike<number>): Value {
    return { name: this.graph.float32(this.newName("constant"), shape, values), shape };
  }

  /** A number, which is one constant however often it is asked for. */
  scalar(value: number): Value {
    const key = `scalar_${value}`;
    const name = this.#constants.get(key) ??
      this.graph.float32(this.newName("scalar"), [], [value]);
    this.#constants.set(key, name);
    return { name, shape: [] };
  }

  /** A vector of whole numbers, for operators that take such an input. */
  integers(values: readonly number[]): string {
    const key = `integers_${values.join()}`;
    const name = this.#constants.get(key) ??
      this.graph.int64(this.newName("integers"), [values.length], values);
    this.#constants.set(key, name);
    return name;
  }

  /**
   * Adds an operator, of whose gradient nothing is known.
   *
   * @param operator ONNX's
   * @param inputs values, or names of what is no float; `""` leaves an optional one out
   * @param shape the output's
   * @param attributes the operator's
   */
  emit(
    operator: string,
    inputs: readonly (Value | string)[],
    shape: readonly number[],
    attributes: Readonly<Record<string, OnnxAttribute>> = {},
  ): Value {
    const names = inputs.map((input) => typeof input === "string" ? input : input.name);
    return { name: this.graph.node(operator, names, this.newName(operator), attributes), shape };
  }

  /**
   * Notes how an output's gradient becomes its inputs'.
   *
   * @returns the output
   */
  record(output: Value, inputs: readonly Value[], backward: Backward): Value {
    if (!inputs.some((input) => this.isLearned(input))) return output;
    this.#learned.add(output.name);
    this.#entries.push({ output, inputs, backward });
    return output;
  }

  /** Whether a value depends on what is to be learned: else its gradient need not be made. */
  isLearned({ name }: Value): boolean {
    return this.#learned.has(name);
  }

  /**
   * Adds the gradients of a number.
   *
   * @param loss of shape `[]`
   * @param of values
   * @returns the gradient with respect to each of these
   * @throws {TypeError} when the number does not depend on one of them
   */
  gradients(loss: Value, of: readonly Value[]): Value[] {
    const gradients = new Map<string, Value>([[loss.name, this.scalar(1)]]);
    for (const { output, inputs, backward } of this.#entries.toReversed()) {
      const gradient = gradients.get(output.name);
      if (!gradient) continue;
      for (const [i, part] of backward(gradient).entries()) {
        const input = inputs[i];
        if (!part || !this.isLearned(input)) continue;
        const before = gradients.get(input.name);
        const sum = before ? this.emit("Add", [before, part], input.shape) : part;
        gradients.set(input.name, sum);
      }
    }
    return of.map(({ name }) => {
      const gradient = gradients.get(name);
      if (gradient) return gradient;
      throw new TypeError(`Cannot differentiate: the loss does not depend on ${name}`);
    });
  }

  /** A name that is not taken. */
  newName(of: string): string {
    return `${of}_${this.#names++}`;
  }
}

/** How many numbers a shape holds. */
export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, length) => product * length, 1);
}
