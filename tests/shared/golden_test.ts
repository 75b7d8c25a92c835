import { CLIP_PREPROCESSING, goldenInput, relativeDistance, sha256 } from "@clip-e/shared";
import assert from "node:assert/strict";

/** Under this mean and deviation the input is the picture's bytes, in planes. */
const AS_BYTES = {
  mean: [0, 0, 0],
  std: [1 / 255, 1 / 255, 1 / 255],
} as const;

/** The golden picture's bytes, in planes of red, green and blue. */
function goldenBytes(crop: number): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(goldenInput({ crop, ...AS_BYTES }), Math.round);
}

Deno.test("goldenInput() is [3, S, S]: each channel one wave over the square, in steps of 8", () => {
  const crop = 24;
  const bytes = goldenBytes(crop);
  assert.equal(bytes.length, 3 * crop * crop);
  const phases = [
    (u: number, v: number) => 9 * u ** 2 + v,
    (u: number, v: number) => 11 * v ** 2 - u,
    (u: number, v: number) => 5 * (u + v) + 7 * u * v,
  ];
  for (const [channel, phase] of phases.entries()) {
    for (let y = 0; y < crop; y++) {
      for (let x = 0; x < crop; x++) {
        const value = bytes[(channel * crop + y) * crop + x];
        const wave = 124 + 124 * Math.sin(2 * Math.PI * phase(x / crop, y / crop));
        assert.equal(value % 8, 0);
        assert.ok(Math.abs(value - wave) <= 4 + 1e-9, `${channel}: ${value} at ${x}, ${y}`);
      }
    }
  }
});

Deno.test("goldenInput() uses the whole range of bytes in every channel", () => {
  const bytes = goldenBytes(64);
  for (const channel of [0, 1, 2]) {
    const plane = bytes.subarray(channel * 64 * 64, (channel + 1) * 64 * 64);
    assert.equal(Math.min(...plane), 0);
    assert.equal(Math.max(...plane), 248);
  }
});

// Bundles carry the embedding of this input: another picture under the same name would refuse every one of them.
Deno.test("goldenInput() is the picture that bundles of the formula waves-1 were made with", async () => {
  assert.equal(
    await sha256(goldenBytes(32)),
    "8a62e972bcb79c25698b51fa16ffc951d708296363fb75327e9ffeb869c73fda",
  );
  assert.equal(
    await sha256(goldenBytes(224)),
    "db1e792d672ebe748c43c827326eb969c004df923535ae2be8aee1f9f848e075",
  );
});

Deno.test("goldenInput() is normalised with the encoder's own mean and deviation", () => {
  const { mean, std } = CLIP_PREPROCESSING;
  const bytes = goldenBytes(16);
  const input = goldenInput({ ...CLIP_PREPROCESSING, crop: 16 });
  bytes.forEach((byte, i) => {
    const channel = Math.floor(i / 256);
    const expected = (byte / 255 - mean[channel]) / std[channel];
    assert.ok(Math.abs(input[i] - expected) < 1e-6, `${input[i]} at ${i}, expected ${expected}`);
  });
});

Deno.test("relativeDistance() is the norm of the difference over the norm of the expected", () => {
  assert.equal(relativeDistance(Float32Array.of(3, 4), Float32Array.of(3, 4)), 0);
  assert.equal(relativeDistance(Float32Array.of(0, 0), Float32Array.of(3, 4)), 1);
  assert.equal(relativeDistance(Float32Array.of(3, 9), Float32Array.of(3, 4)), 1);
  assert.equal(relativeDistance(Float32Array.of(-3, -4), Float32Array.of(3, 4)), 2);
  // Not symmetric: what is expected is the measure.
  assert.equal(relativeDistance(Float32Array.of(3, 4), Float32Array.of(6, 8)), 0.5);
  assert.equal(relativeDistance(Float32Array.of(6, 8), Float32Array.of(3, 4)), 1);
});

Deno.test("relativeDistance() is infinite where there is no distance", () => {
  const expected = Float32Array.of(3, 4);
  for (
    const actual of [[3], [3, 4, 0], [], [NaN, 4], [3, Infinity], [3, -Infinity]]
  ) {
    assert.equal(relativeDistance(Float32Array.from(actual), expected), Infinity, `${actual}`);
  }
  assert.equal(relativeDistance(Float32Array.of(1, 1), Float32Array.of(0, 0)), Infinity);
  assert.equal(relativeDistance(Float32Array.of(0, 0), Float32Array.of(0, 0)), Infinity);
  assert.equal(relativeDistance(Float32Array.of(3, 4), Float32Array.of(NaN, 4)), Infinity);
});
