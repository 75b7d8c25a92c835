import { type Interpolation, orient, type Picture, pictureFromRows } from "@clip-e/shared";
import assert from "node:assert/strict";
import { createDecoders } from "../../edge/decode/decoders.ts";
import { decodePicture } from "../../edge/decode/decode_picture.ts";
import { writeModule } from "../../fixtures/resample/make_module.ts";
import { type Crop, resampleAndCrop } from "../../shared/resample.ts";
import { type ResamplePasses, scalarPasses } from "../../shared/resample_scalar.ts";
import { createSimdPasses } from "../../shared/resample_simd.ts";
import type { Taps } from "../../shared/resample_taps.ts";
import { countDifferences, readPicture, readPreprocessGoldens } from "../golden_file.ts";
import { type Random, seededRandom } from "../random.ts";

/** Deno has vectors: where this is missing, every test of this file fails. */
function simdPasses(): ResamplePasses {
  const passes = createSimdPasses();
  assert.ok(passes, "WebAssembly does not compile");
  return passes;
}

/** Runs a task while the scalar passes fail, so that they cannot stand in for the others unseen. */
function withoutScalar<T>(task: () => T): T {
  const kept = { ...scalarPasses };
  const fail = () => assert.fail("the scalar passes were called");
  Object.assign(scalarPasses, { rows: fail, columns: fail });
  try {
    return task();
  } finally {
    Object.assign(scalarPasses, kept);
  }
}

/** Both implementations, on one picture. */
function assertPassesEqual(
  picture: Picture,
  [width, height]: readonly [number, number],
  crop: Crop,
  filter: Interpolation,
): void {
  const resample = (passes: ResamplePasses) =>
    resampleAndCrop(picture, width, height, crop, filter, passes);
  const scalar = resample(scalarPasses);
  const simd = withoutScalar(() => resample(simdPasses()));
  const { strideX, strideY } = picture;
  const from = `${picture.width} x ${picture.height}, strides ${strideX} and ${strideY}`;
  const to = `${width} x ${height}, crop ${JSON.stringify(crop)}, ${filter}`;
  assert.equal(countDifferences(simd, scalar), 0, `${from} to ${to}`);
}

/** Noise, or black and white alone, in any orientation; in memory that starts at any byte. */
function randomPicture(random: Random, width: number, height: number): Picture {
  const channels = random.pick([3, 4] as const);
  const shift = random.integer(0, 4);
  const noise = random.bytes(width * height * channels + shift);
  const data = random.pick([noise, noise.map((v) => v < 128 ? 0 : 255)]).subarray(shift);
  return orient(pictureFromRows(data, width, height, channels), random.integer(1, 8));
}

const whole = (width: number, height: number): Crop => ({ left: 0, top: 0, width, height });

for (const filter of ["bicubic", "bilinear"] as const) {
  Deno.test(`createSimdPasses() equals scalarPasses for random pictures and crops, ${filter}`, () => {
    const random = seededRandom(11);
    for (let round = 0; round < 300; round++) {
      const picture = randomPicture(random, random.integer(1, 90), random.integer(1, 90));
      const [width, height] = [random.integer(1, 120), random.integer(1, 60)];
      const [left, top] = [random.integer(0, width - 1), random.integer(0, height - 1)];
      assertPassesEqual(picture, [width, height], {
        left,
        top,
        width: random.integer(1, width - left),
        height: random.integer(1, height - top),
      }, filter);
    }
  });

  Deno.test(`createSimdPasses() equals scalarPasses for single pixels, rows and columns, ${filter}`, () => {
    const random = seededRandom(12);
    const sizes = [[1, 1, 9, 7], [1, 60, 8, 11], [60, 1, 11, 8], [23, 31, 1, 1], [37, 19, 1, 12]];
    for (const [width, height, newWidth, newHeight] of sizes) {
      const picture = randomPicture(random, width, height);
      assertPassesEqual(picture, [newWidth, newHeight], whole(newWidth, newHeight), filter);
    }
  });

  Deno.test(`createSimdPasses() equals scalarPasses with hundreds of taps, ${filter}`, () => {
    const random = seededRandom(13);
    assertPassesEqual(randomPicture(random, 2000, 3), [4, 3], whole(4, 3), filter);
    assertPassesEqual(randomPicture(random, 3, 2000), [3, 4], whole(3, 4), filter);
    assertPassesEqual(randomPicture(random, 900, 800), [3, 2], whole(3, 2), filter);
  });

  Deno.test(`createSimdPasses() equals scalarPasses over many bands of memory, ${filter}`, () => {
    const random = seededRandom(14);
    assertPassesEqual(randomPicture(random, 700, 500), [224, 224], whole(224, 224), filter);
    assertPassesEqual(randomPicture(random, 40, 30), [900, 700], whole(900, 700), filter);
  });
}

/** Output samples of `count` taps each, with weights of up to 24 bits and a sign, which no filter gives. */
function extremeTaps(random: Random, length: number, count: number): Taps {
  const extremes = [-(2 ** 24), 2 ** 24 - 1, -1, 0, 1, 4095, 4096, -4096, -4097] as const;
  return {
    first: Int32Array.from({ length }, (_, i) => i),
    count: new Int32Array(length).fill(count),
    weights: Int32Array.from({ length: length * count }, () => random.pick(extremes)),
    width: count,
  };
}

Deno.test("createSimdPasses() equals scalarPasses for weights that overflow", () => {
  const random = seededRandom(15);
  const simd = simdPasses();
  for (const count of [1, 2, 3, 4, 5, 40, 301]) {
    const picture = randomPicture(random, 330, 330);
    const taps = extremeTaps(random, 20, count);
    const rows = [simd, scalarPasses].map((passes) => passes.rows(picture, taps, 3, 9));
    assert.equal(countDifferences(rows[0], rows[1]), 0, `rows, ${count} taps`);
    const bytes = random.bytes(330 * 33);
    const columns = [simd, scalarPasses].map((passes) => passes.columns(bytes, taps, 0, 33));
    assert.equal(countDifferences(columns[0], columns[1]), 0, `columns, ${count} taps`);
  }
});

Deno.test("resampleAndCrop() equals every golden of Pillow in both implementations", async () => {
  const decoders = createDecoders();
  for (const { picture, size, interpolation, resizeMode, rgb } of await readPreprocessGoldens()) {
    const decoded = await decodePicture(await readPicture(picture), decoders, 5e7);
    const shorter = Math.min(decoded.width, decoded.height);
    const [width, height] = [decoded.width, decoded.height].map((n) =>
      resizeMode === "squash" ? size : Math.trunc(size * n / shorter)
    );
    const [left, top] = [width, height].map((n) => Math.floor((n - size) / 2));
    const crop = { left, top, width: size, height: size };
    for (const passes of [simdPasses(), scalarPasses]) {
      const out = resampleAndCrop(decoded, width, height, crop, interpolation, passes);
      assert.equal(countDifferences(out, rgb), 0, `${picture} at ${size}, ${interpolation}`);
    }
  }
});

Deno.test("createSimdPasses() equals scalarPasses where its memory is too small for one row", () => {
  const picture = pictureFromRows(seededRandom(16).bytes(2_000_000 * 3), 2_000_000, 1, 3);
  const [simd, scalar] = [simdPasses(), scalarPasses].map((passes) =>
    resampleAndCrop(picture, 2, 1, whole(2, 1), "bilinear", passes)
  );
  assert.deepEqual(simd, scalar);
  assert.throws(() => assertPassesEqual(picture, [2, 1], whole(2, 1), "bilinear"), /were called/);
});

/** Runs a task while `WebAssembly.Module` refuses, as it does in workerd. */
async function withoutCompiler<T>(task: () => T | Promise<T>): Promise<T> {
  const { Module } = WebAssembly;
  const refuse = function () {
    throw new WebAssembly.CompileError("Wasm code generation disallowed by embedder");
  };
  Object.assign(WebAssembly, { Module: refuse });
  try {
    return await task();
  } finally {
    Object.assign(WebAssembly, { Module });
  }
}

Deno.test("resampleAndCrop() gives the same bytes where WebAssembly may not compile", async () => {
  const picture = randomPicture(seededRandom(17), 50, 40);
  const crop = whole(20, 16);
  const expected = resampleAndCrop(picture, 20, 16, crop, "bicubic");
  await withoutCompiler(async () => {
    assert.equal(createSimdPasses(), undefined);
    // Another query makes another instance of the module, which decides anew.
    const fresh = await import("../../shared/resample.ts?refused");
    assert.notEqual(fresh.resampleAndCrop, resampleAndCrop);
    assert.deepEqual(fresh.resampleAndCrop(picture, 20, 16, crop, "bicubic"), expected);
  });
});

Deno.test("shared/resample_simd_module.ts is what writeModule() makes", async () => {
  const file = new URL("../../shared/resample_simd_module.ts", import.meta.url);
  assert.equal(await Deno.readTextFile(file), writeModule());
});
