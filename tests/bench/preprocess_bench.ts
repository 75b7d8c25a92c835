/**
 * What preprocessing and decoding cost, beside sharp's, in one run: `deno task bench`. Read the ratios: they hold from
 * one machine to the next, milliseconds do not. sharp computes here with one thread, as the edge does.
 *
 * The two do not compute the same: sharp's cubic differs from Pillow's by up to 6 of 255 when it shrinks and by far more
 * when it enlarges, which is why ours exists.
 */

import { type Picture, resizeAndCrop } from "@clip-e/shared";
import sharp from "sharp";
import { createDecoders } from "../../edge/decode/decoders.ts";
import { decodePicture } from "../../edge/decode/decode_picture.ts";
import { readPicture } from "../golden_file.ts";

const SIDE = 224;
const WARM_UP = 3;

/** Two ways to do one thing. */
interface Pair {
  readonly name: string;
  readonly rounds: number;
  readonly ours: () => unknown;
  readonly theirs: () => unknown;
}

sharp.concurrency(1);
sharp.cache(false);
const decoders = createDecoders();
const decode = (bytes: Uint8Array) => decodePicture(bytes, decoders, 5e7);

/** A picture to measure on: 12 megapixels of waves with a little noise, about as hard to decode as a photograph. */
async function generateJpeg(width: number, height: number): Promise<Uint8Array> {
  const pixels = new Uint8Array(width * height * 3);
  let noise = 1;
  for (let y = 0, i = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      for (let channel = 1; channel <= 3; channel++) {
        noise = (Math.imul(noise, 1664525) + 1013904223) | 0;
        pixels[i++] = 128 + 90 * Math.sin((x * channel + y) / 97) + (noise >> 28);
      }
    }
  }
  return await sharp(pixels, { raw: { width, height, channels: 3 } }).jpeg({ quality: 85 })
    .toBuffer();
}

/** Resizing and cropping pixels that are in memory already; sharp gets them without alpha, which it would blend. */
function resizePair(name: string, rounds: number, picture: Picture): Pair {
  const { data, width, height } = picture;
  const rgb = data.filter((_, i) => i % 4 !== 3);
  const raw = { width, height, channels: 3 } as const;
  return {
    name,
    rounds,
    ours: () => resizeAndCrop(picture, { resize: SIDE, crop: SIDE, interpolation: "bicubic" }),
    theirs: () => sharp(rgb, { raw }).resize(SIDE, SIDE, { kernel: "cubic" }).raw().toBuffer(),
  };
}

function decodePair(name: string, rounds: number, bytes: Uint8Array): Pair {
  return {
    name,
    rounds,
    ours: () => decode(bytes),
    theirs: () => sharp(bytes, { ignoreIcc: true }).raw().toBuffer(),
  };
}

const median = (numbers: readonly number[]) =>
  numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)];

async function time(task: () => unknown): Promise<number> {
  const start = performance.now();
  await task();
  return performance.now() - start;
}

/** Measures both by turns, so that what else the machine does falls on both alike. */
async function measure({ name, rounds, ours, theirs }: Pair): Promise<void> {
  const times: { ours: number[]; theirs: number[] } = { ours: [], theirs: [] };
  for (let round = -WARM_UP; round < rounds; round++) {
    const [a, b] = [await time(ours), await time(theirs)];
    if (round < 0) continue;
    times.ours.push(a);
    times.theirs.push(b);
  }
  const [a, b] = [median(times.ours), median(times.theirs)];
  printRow(name, [`${a.toFixed(1)} ms`, `${b.toFixed(1)} ms`, `${(a / b).toFixed(2)}x`]);
}

function printRow(name: string, cells: readonly string[]): void {
  console.log(`| ${[name.padEnd(36), ...cells.map((cell) => cell.padStart(10))].join(" | ")} |`);
}

const drawn = await readPicture("sunset.jpg");
const generated = await generateJpeg(4000, 3000);
const small = await readPicture("small.jpg");

printRow("medians", ["ours", "sharp", "ours/sharp"]);
printRow("-".repeat(36), Array(3).fill("-".repeat(9) + ":"));
await measure(decodePair("decode JPEG, 97 x 61", 101, small));
await measure(decodePair("decode JPEG, 1024 x 683", 41, drawn));
await measure(decodePair("decode JPEG, 4000 x 3000", 7, generated));
await measure(resizePair("resize and crop to 224, 97 x 61", 101, await decode(small)));
await measure(resizePair("resize and crop to 224, 1024 x 683", 41, await decode(drawn)));
await measure(resizePair("resize and crop to 224, 4000 x 3000", 11, await decode(generated)));
