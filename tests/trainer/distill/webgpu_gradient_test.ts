/**
 * A step of distillation on a WebGPU adapter, be it software, beside the same on WebAssembly.
 */

import { type Backend, wasmBackend } from "@clip-e/edge/encoder";
import { openWebGpu } from "@clip-e/edge/webgpu";
import assert from "node:assert/strict";
import { isWebGpuWanted, UNLESS_WANTED } from "../../webgpu_wanted.ts";
import {
  buildGradient,
  countNumbers,
  GRADIENT_INPUTS,
  GRADIENT_OUTPUT,
  layOut,
} from "../../../trainer/distill/gradient_graph.ts";
import { sizeOf } from "../../../trainer/distill/graph/tape.ts";
import { parseStudent } from "../../../trainer/distill/parse_student.ts";
import type { Student } from "../../../trainer/distill/student.ts";
import { Random } from "../../../trainer/random.ts";

const [BATCH, SIDE, DIMENSIONS] = [2, 2, 8];
const SCALE = {
  mean: new Float32Array(DIMENSIONS),
  deviation: new Float32Array(DIMENSIONS).fill(1),
};

async function differentiate(student: Student, backend: Backend): Promise<Float32Array> {
  const random = new Random(5);
  const draw = (...dims: number[]) => {
    const data = Float32Array.from({ length: sizeOf(dims) }, () => random.normal());
    return { type: "float32", data, dims } as const;
  };
  const numbers = new Float32Array(countNumbers(student.parameters));
  for (const { parameter: { shape, draw }, at } of layOut(student.parameters)) {
    for (let i = 0; i < sizeOf(shape); i++) {
      numbers[at + i] = draw(random, i) + 0.1 * random.normal();
    }
  }
  const shape = { batch: BATCH, side: SIDE, loss: "standardised", ...SCALE } as const;
  const session = await backend.open(buildGradient(student, shape));
  try {
    const { data } = await session.run({
      [GRADIENT_INPUTS.parameters]: { type: "float32", data: numbers, dims: [numbers.length] },
      [GRADIENT_INPUTS.pixels]: draw(BATCH, 3, student.size, student.size),
      [GRADIENT_INPUTS.features]: draw(BATCH, SIDE ** 2, DIMENSIONS),
    }, GRADIENT_OUTPUT);
    assert.ok(data instanceof Float32Array);
    return data.slice();
  } finally {
    await session.close();
  }
}

for (const spec of ["conv:32:8:16x2,32x1:32", "vit:32:8:32x2:2"]) {
  Deno.test({
    name: `the gradient of ${spec} is the same on WebGPU${isWebGpuWanted ? "" : UNLESS_WANTED}`,
    ignore: !isWebGpuWanted,
    // Its device lives as long as the process.
    sanitizeResources: false,
    sanitizeOps: false,
    async fn() {
      const student = parseStudent(spec, SCALE);
      const expected = await differentiate(student, wasmBackend);
      const gradient = await differentiate(student, await openWebGpu(true));
      const scale = Math.max(...expected.map(Math.abs));
      const apart = Math.max(...gradient.map((x, i) => Math.abs(x - expected[i])));
      assert.ok(apart < 1e-4 * scale, `${apart} apart, where the largest is ${scale}`);
    },
  });
}
