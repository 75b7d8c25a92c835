import assert from "node:assert/strict";
import sharp from "sharp";
import { type Picture, pictureFromRows } from "@clip-e/shared";
import { decodeFile } from "../../../trainer/embedding/decode_file.ts";
import { NEAR } from "../../../trainer/embedding/near_duplicates.ts";
import { perceptualHash } from "../../../trainer/embedding/perceptual_hash.ts";
import { readPicture } from "../../golden_file.ts";

function distance(a: bigint, b: bigint): number {
  return [...(a ^ b).toString(2)].filter((bit) => bit === "1").length;
}

async function hashOf(bytes: Uint8Array): Promise<bigint> {
  return perceptualHash(await decodeFile(bytes, 1e8));
}

/** Every pixel by a formula. */
function paint(width: number, height: number, grey: (x: number, y: number) => number): Picture {
  const data = new Uint8Array(width * height * 3);
  for (let i = 0; i < data.length; i++) {
    const pixel = Math.floor(i / 3);
    data[i] = grey(pixel % width, Math.floor(pixel / width));
  }
  return pictureFromRows(data, width, height, 3);
}

const PHOTOGRAPHS = ["storm.jpg", "sunset.jpg"];

const EDITS: Readonly<Record<string, (bytes: Uint8Array) => Promise<Uint8Array>>> = {
  "halved and compressed": async (bytes) => {
    const { width } = await sharp(bytes).metadata();
    return await sharp(bytes).resize(Math.round(width / 2)).jpeg({ quality: 50 }).toBuffer();
  },
  "compressed much": (bytes) => sharp(bytes).jpeg({ quality: 10 }).toBuffer(),
  "made brighter": (bytes) => sharp(bytes).linear(1.1, 5).png().toBuffer(),
};

for (const [edit, make] of Object.entries(EDITS)) {
  Deno.test(`perceptualHash() stays near when a picture is ${edit}`, async () => {
    for (const name of PHOTOGRAPHS) {
      const bytes = await readPicture(name);
      const moved = distance(await hashOf(bytes), await hashOf(await make(bytes)));
      assert.ok(moved <= NEAR, `${name}: ${moved} bits`);
    }
  });
}

Deno.test("perceptualHash() is far for another picture, and for one that is mirrored", async () => {
  const [storm, sunset] = await Promise.all(PHOTOGRAPHS.map(readPicture));
  assert.ok(distance(await hashOf(storm), await hashOf(sunset)) > 2 * NEAR);
  const mirrored = await sharp(storm).flop().png().toBuffer();
  assert.ok(distance(await hashOf(storm), await hashOf(mirrored)) > 2 * NEAR);
});

Deno.test("perceptualHash() sees 64 frequencies, of which half are above their median", () => {
  const noisy = paint(64, 64, (x, y) => (x * 97 + y * 57 + x * y * 13) % 256);
  assert.equal(distance(perceptualHash(noisy), 0n), 32);
});

Deno.test("perceptualHash() puts the lowest frequency across and down into the first bits", () => {
  // Cosines of one half and of one period: every other frequency is rounding of bytes.
  const wave = (n: number) => 127 + 100 * Math.cos(Math.PI * (n + 0.5) / 32);
  const [across, down] = [paint(32, 32, wave), paint(32, 32, (_, y) => wave(y))];
  // Zigzag order starts [0, 1], [1, 0], as [across, down].
  assert.equal(perceptualHash(down) >> 63n, 1n);
  assert.equal(perceptualHash(across) >> 62n & 1n, 1n);
});

Deno.test("perceptualHash() is 0 for pictures of one colour, of whatever size", () => {
  for (const [width, height, grey] of [[1, 1, 0], [40, 30, 200], [33, 1, 255]]) {
    assert.equal(perceptualHash(paint(width, height, () => grey)), 0n);
  }
});
