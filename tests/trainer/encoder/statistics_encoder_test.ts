import assert from "node:assert/strict";
import * as ort from "onnxruntime-web/wasm";
import {
  buildStatisticsEncoder,
  STATISTICS_DIMENSIONS,
  STATISTICS_SIZE,
  type StatisticsEncoderOptions,
} from "../../../trainer/encoder/statistics_encoder.ts";

ort.env.wasm.numThreads = 1;

const CLIP: StatisticsEncoderOptions = {
  size: STATISTICS_SIZE,
  mean: [0.48145466, 0.4578275, 0.40821073],
  std: [0.26862954, 0.26130258, 0.27577711],
};
const PLAIN: StatisticsEncoderOptions = { size: 32, mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5] };

/** A picture as a function of row and column, to R, G, B in 0..1. */
type Paint = (row: number, column: number) => readonly [number, number, number];

/** Paints `[3, S, S]` in 0..1. */
function paint(size: number, paint: Paint): Float64Array {
  const rgb = new Float64Array(3 * size * size);
  for (let row = 0; row < size; row++) {
    for (let column = 0; column < size; column++) {
      paint(row, column).forEach((value, channel) => {
        rgb[(channel * size + row) * size + column] = value;
      });
    }
  }
  return rgb;
}

/** A repeatable picture of noise: a linear congruential generator, modulo 2³². */
function noise(size: number, seed: number): Float64Array {
  let state = seed;
  const next = (): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state >>> 24) / 255;
  };
  return paint(size, () => [next(), next(), next()]);
}

/** Smooth colour with hard edges: closer to a photograph than noise is. */
function shapes(size: number): Float64Array {
  return paint(size, (row, column) => {
    const inside = (row - size / 3) ** 2 + (column - size / 2) ** 2 < (size / 4) ** 2;
    return inside ? [0.9, 0.1 + 0.5 * row / size, 0.05] : [0.2, 0.5, column / size];
  });
}

/** Runs pictures, `[3, S, S]` each in 0..1, as one batch. */
async function embed(
  options: StatisticsEncoderOptions,
  pictures: readonly Float64Array[],
): Promise<Float32Array[]> {
  const { size, mean, std } = options;
  const session = await ort.InferenceSession.create(buildStatisticsEncoder(options));
  assert.deepEqual(session.inputNames, ["pixel_values"]);
  assert.deepEqual(session.outputNames, ["image_embeds"]);
  const plane = size * size;
  const input = new Float32Array(pictures.length * 3 * plane);
  for (const [i, picture] of pictures.entries()) {
    for (let at = 0; at < picture.length; at++) {
      const channel = Math.floor(at / plane);
      input[i * picture.length + at] = (picture[at] - mean[channel]) / std[channel];
    }
  }
  const tensor = new ort.Tensor("float32", input, [pictures.length, 3, size, size]);
  const { image_embeds } = await session.run({ pixel_values: tensor });
  assert.deepEqual(image_embeds.dims, [pictures.length, STATISTICS_DIMENSIONS]);
  const data = await image_embeds.getData() as Float32Array;
  await session.release();
  return pictures.map((_, i) =>
    data.slice(i * STATISTICS_DIMENSIONS, (i + 1) * STATISTICS_DIMENSIONS)
  );
}

/** The same numbers from the module's table, in double precision and without a graph. */
function reference(size: number, rgb: Float64Array): Float64Array {
  const at = (channel: number, row: number, column: number): number => {
    const inside = (i: number): number => Math.min(Math.max(i, 0), size - 1);
    return rgb[(channel * size + inside(row)) * size + inside(column)];
  };
  const colour: readonly ((row: number, column: number) => number)[] = [
    (y, x) => (at(0, y, x) + at(1, y, x) + at(2, y, x)) / 3 - 0.5,
    (y, x) => at(0, y, x) - at(1, y, x),
    (y, x) => (at(0, y, x) + at(1, y, x)) / 2 - at(2, y, x),
    (y, x) => {
      const values = [at(0, y, x), at(1, y, x), at(2, y, x)];
      return (Math.max(...values) - Math.min(...values)) / (Math.max(...values) + 0.02);
    },
  ];
  const edge = (direction: number) => (y: number, x: number): number => {
    const around = (steps: number): number => {
      const angle = (direction + steps) * Math.PI / 4;
      return colour[0](y + Math.round(Math.sin(angle)), x + Math.round(Math.cos(angle)));
    };
    const slope = 2 * (around(0) - around(4)) + around(1) - around(5) + around(-1) - around(3);
    return Math.max(slope / 4, 0);
  };
  const cells = (value: (row: number, column: number) => number): number[][] => {
    const grid: number[][] = Array.from({ length: 16 }, () => []);
    for (let y = 0; y < size; y++) {
      for (let x = 0; x < size; x++) {
        grid[4 * Math.floor(4 * y / size) + Math.floor(4 * x / size)].push(value(y, x));
      }
    }
    return grid;
  };
  const mean = (values: readonly number[]): number =>
    values.reduce((sum, value) => sum + value, 0) / values.length;
  const deviation = (values: readonly number[]): number => {
    const m = mean(values);
    return Math.sqrt(mean(values.map((value) => (value - m) ** 2)) + 1e-4) - 0.01;
  };
  const directions = [0, 1, 2, 3, 4, 5, 6, 7];
  return Float64Array.from([
    ...colour.flatMap((value) => cells(value).map((cell) => 4 * mean(cell))),
    ...colour.flatMap((value) => cells(value).map((cell) => 10 * deviation(cell))),
    ...directions.flatMap((k) => cells(edge(k)).map((cell) => 30 * mean(cell))),
  ]);
}

function furthest(a: ArrayLike<number>, b: ArrayLike<number>): number {
  assert.equal(a.length, b.length);
  return Array.from(a).reduce((most, value, i) => Math.max(most, Math.abs(value - b[i])), 0);
}

/** The largest number of a plane, 0 to 15, of an embedding. */
function peak(embedding: Float32Array, plane: number): number {
  return Math.max(...embedding.subarray(16 * plane, 16 * plane + 16));
}

for (const [name, options] of [["CLIP's", CLIP], ["a plain", PLAIN]] as const) {
  Deno.test(`buildStatisticsEncoder() agrees with plain TypeScript under ${name} normalisation`, async () => {
    const { size } = options;
    // Flat and saturated is where float32 has most to lose in a deviation.
    const pictures = [noise(size, 1), shapes(size), paint(size, () => [1, 0, 0])];
    const embeddings = await embed(options, pictures);
    for (const [i, picture] of pictures.entries()) {
      const difference = furthest(embeddings[i], reference(size, picture));
      assert.ok(difference < 1e-4, `picture ${i} differs by ${difference}`);
    }
  });
}

Deno.test("buildStatisticsEncoder() gives a picture the same embedding alone and in a batch", async () => {
  const pictures = [noise(64, 2), shapes(64), noise(64, 3)];
  const together = await embed(CLIP, pictures);
  for (const [i, picture] of pictures.entries()) {
    const [alone] = await embed(CLIP, [picture]);
    assert.deepEqual(alone, together[i]);
  }
});

Deno.test("buildStatisticsEncoder() sees no deviation and no edge in a flat grey picture", async () => {
  const [embedding] = await embed(CLIP, [paint(64, () => [0.25, 0.25, 0.25])]);
  const expected = new Float64Array(STATISTICS_DIMENSIONS);
  expected.fill(4 * (0.25 - 0.5), 0, 16);
  const difference = furthest(embedding, expected);
  assert.ok(difference < 1e-4, `differs by ${difference}`);
});

Deno.test("buildStatisticsEncoder() answers a step edge in the direction that it gets lighter", async () => {
  // Dark to light, from left to right and the other way, and from top to bottom.
  const right = paint(64, (_, x) => x < 24 ? [0, 0, 0] : [1, 1, 1]);
  const left = paint(64, (_, x) => x < 24 ? [1, 1, 1] : [0, 0, 0]);
  const down = paint(64, (y) => y < 24 ? [0, 0, 0] : [1, 1, 1]);
  const embeddings = await embed(CLIP, [right, left, down]);
  for (const [i, brightest] of [0, 4, 2].entries()) {
    const peaks = [0, 1, 2, 3, 4, 5, 6, 7].map((k) => peak(embeddings[i], 8 + k));
    for (const [k, value] of peaks.entries()) {
      const apart = Math.min((k - brightest + 8) % 8, (brightest - k + 8) % 8);
      // Two columns of 16 answer with 1; three quarters of it 45 degrees off; nothing from 90 on.
      const expected = 30 * (2 / 16) * [1, 0.75, 0, 0, 0][apart];
      assert.ok(Math.abs(value - expected) < 1e-4, `step ${i}, direction ${k}: ${value}`);
    }
  }
  const columns = [...embeddings[0].subarray(8 * 16, 9 * 16)].map((value) => value > 1e-4);
  assert.deepEqual(columns, Array(4).fill([false, true, false, false]).flat(), "where it lies");
});

Deno.test("buildStatisticsEncoder() keeps its numbers of the order of 1", async () => {
  const embeddings = await embed(CLIP, [shapes(64), noise(64, 4)]);
  for (const embedding of embeddings) {
    const size = Math.hypot(...embedding) / Math.sqrt(STATISTICS_DIMENSIONS);
    assert.ok(size > 0.3 && size < 10, `root mean square ${size}`);
  }
});

Deno.test("buildStatisticsEncoder() clips what no picture holds", async () => {
  const beyond = paint(32, (y) => y < 16 ? [-3, 0.5, 7] : [2, -0.02, -1]);
  const clipped = paint(32, (y) => y < 16 ? [0, 0.5, 1] : [1, 0, 0]);
  const [a, b] = await embed(PLAIN, [beyond, clipped]);
  assert.ok(furthest(a, b) < 1e-5);
});

Deno.test("buildStatisticsEncoder() gives the same bytes for the same options, and few", () => {
  const bytes = buildStatisticsEncoder(CLIP);
  assert.deepEqual(buildStatisticsEncoder({ ...CLIP }), bytes);
  assert.notDeepEqual(buildStatisticsEncoder({ ...CLIP, mean: [0.5, 0.5, 0.5] }), bytes);
  assert.ok(bytes.length < 4096, `${bytes.length} bytes`);
});

Deno.test("buildStatisticsEncoder() refuses a size or a normalisation that it cannot write", () => {
  const build = (change: Partial<StatisticsEncoderOptions>) => () =>
    buildStatisticsEncoder({ ...CLIP, ...change });
  for (const size of [0, 4, 63, 64.5, -64, NaN, Infinity]) {
    assert.throws(build({ size }), {
      name: "RangeError",
      message: "Cannot build the statistics encoder: its 4 x 4 grid needs a size that is a " +
        `multiple of 4, at least 8; got ${size}`,
    });
  }
  assert.throws(build({ mean: [0.5, NaN, 0.5] }), {
    name: "RangeError",
    message:
      "Cannot build the statistics encoder: mean must be 3 finite numbers; got [0.5, NaN, 0.5]",
  });
  for (const std of [[0.5, 0, 0.5], [0.5, -1, 0.5], [0.5, 0.5, Infinity]] as const) {
    assert.throws(build({ std }), {
      name: "RangeError",
      message: "Cannot build the statistics encoder: std must be 3 numbers above 0; " +
        `got [${std.join(", ")}]`,
    });
  }
});
