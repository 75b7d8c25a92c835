import assert from "node:assert/strict";
import { type AdamState, firstState, takeStep } from "../../../trainer/distill/adam_w.ts";

/** All numbers of a state. */
const numbers = ({ parameters, average, mean, square }: AdamState) =>
  [parameters, average, mean, square].map((part) => [...part]);

function near(actual: readonly number[][], expected: readonly number[][]): void {
  actual.flat().forEach((x, i) =>
    assert.ok(Math.abs(x - expected.flat()[i]) < 1e-6, `${x}, not ${expected.flat()[i]}`)
  );
}

Deno.test("takeStep() moves each number by the rate at first, whatever its gradient's size", () => {
  const state = firstState(Float32Array.of(1, 2));
  takeStep(state, Float32Array.of(0.5, -0.1), { number: 0, rate: 0.1, decay: 0, decaying: 0 });
  // By hand: corrected averages of one gradient are itself and its square.
  near(numbers(state), [
    [0.9, 2.1],
    [0.9 + 0.1 * 0.1, 2.1 - 0.1 * 0.1],
    [0.05, -0.01],
    [0.0025, 0.0001],
  ]);
});

Deno.test("takeStep() makes only the first numbers smaller by weight decay", () => {
  const state = firstState(Float32Array.of(1, 2));
  takeStep(state, Float32Array.of(0, 0), { number: 3, rate: 0.1, decay: 0.5, decaying: 1 });
  near([[...state.parameters]], [[0.95, 2]]);
});

Deno.test("takeStep() limits the gradient's norm to 1", () => {
  const state = firstState(Float32Array.of(0, 0));
  takeStep(state, Float32Array.of(30, 40), { number: 0, rate: 0.1, decay: 0, decaying: 0 });
  near([[...state.mean]], [[0.06, 0.08]]);
});

Deno.test("takeStep() keeps an average that follows slowly after many steps", () => {
  const state = firstState(Float32Array.of(1));
  takeStep(state, Float32Array.of(1), { number: 1e6, rate: 0.5, decay: 0, decaying: 0 });
  const moved = 1 - state.parameters[0];
  assert.ok(Math.abs((1 - state.average[0]) - moved / 1000) < 1e-6);
});

Deno.test("takeStep() leaves what stands behind the gradient alone", () => {
  const state = firstState(Float32Array.of(1));
  takeStep(state, Float32Array.of(1, 1e9), { number: 0, rate: 0.1, decay: 0, decaying: 0 });
  near([[...state.mean]], [[0.1]]);
});
