import {
  type Crop,
  type Interpolation,
  orient,
  type Picture,
  pictureFromRows,
  resampleAndCrop,
} from "@clip-e/shared";
import assert from "node:assert/strict";
import { countDifferences } from "../golden_file.ts";
import { type Random, seededRandom } from "../random.ts";

/** Keys' cubic with a = -0.5, from its two pieces. */
function cubic(x: number): number {
  const t = Math.abs(x);
  if (t < 1) return 1.5 * t ** 3 - 2.5 * t ** 2 + 1;
  if (t < 2) return -0.5 * t ** 3 + 2.5 * t ** 2 - 4 * t + 2;
  return 0;
}

/** The filters: how far each reaches, in samples, and what it weighs. */
const FILTERS: Readonly<Record<Interpolation, [reach: number, weigh: (x: number) => number]>> = {
  bicubic: [2, cubic],
  bilinear: [1, (x) => x < -1 || x > 1 ? 0 : x < 0 ? 1 + x : 1 - x],
};
const INTERPOLATIONS = ["bicubic", "bilinear"] as const;

/** One line of samples to another length. All sums are of whole numbers below 2^53, so doubles hold them exactly. */
function resizeLine(line: readonly number[], length: number, filter: Interpolation): number[] {
  const [reach, weigh] = FILTERS[filter];
  const scale = line.length / length;
  const stretch = Math.max(scale, 1);
  return Array.from({ length }, (_, i) => {
    const center = (i + 0.5) * scale;
    const from = Math.max(0, Math.floor(center - reach * stretch + 0.5));
    const to = Math.min(line.length, Math.floor(center + reach * stretch + 0.5));
    const samples = line.slice(from, to);
    const weights = samples.map((_, j) => weigh((from + j + 0.5 - center) * (1 / stretch)));
    const total = weights.reduce((a, b) => a + b, 0);
    const fixed = weights.map((weight) => {
      const exact = weight / total * 2 ** 22;
      return Math.sign(exact) * Math.floor(Math.abs(exact) + 0.5);
    });
    const sum = samples.reduce((a, sample, j) => a + sample * fixed[j], 2 ** 21);
    return Math.min(255, Math.max(0, Math.floor(sum / 2 ** 22)));
  });
}

/** A plane of samples, as rows. */
type Plane = readonly (readonly number[])[];

const transpose = (plane: Plane): Plane => plane[0].map((_, x) => plane.map((row) => row[x]));

/** Pillow's `resize` of the whole picture, written plainly: rows first, then columns; then the crop. */
function plainResizeAndCrop(
  planes: readonly Plane[],
  width: number,
  height: number,
  crop: Crop,
  filter: Interpolation,
) {
  const resized = planes.map((plane) => {
    const rows = plane.map((row) => resizeLine(row, width, filter));
    return transpose(transpose(rows).map((column) => resizeLine(column, height, filter)));
  });
  const out: number[] = [];
  for (let y = crop.top; y < crop.top + crop.height; y++) {
    for (let x = crop.left; x < crop.left + crop.width; x++) {
      for (const plane of resized) out.push(plane[y][x]);
    }
  }
  return Uint8Array.from(out);
}

/** A picture's red, green and blue, as seen. */
function planesOf({ width, height, data, offset, strideX, strideY }: Picture): Plane[] {
  return [0, 1, 2].map((channel) =>
    Array.from(
      { length: height },
      (_, y) =>
        Array.from({ length: width }, (_, x) => data[offset + x * strideX + y * strideY + channel]),
    )
  );
}

/** A picture of noise, or of black and white alone, whose resize overshoots at every edge. */
function randomPicture(random: Random, width: number, height: number): Picture {
  const channels = random.pick([3, 4] as const);
  const noise = random.bytes(width * height * channels);
  const data = random.pick([noise, noise.map((v) => v < 128 ? 0 : 255)]);
  return orient(pictureFromRows(data, width, height, channels), random.integer(1, 8));
}

const whole = (width: number, height: number): Crop => ({ left: 0, top: 0, width, height });

function assertEqualsPlain(
  filter: Interpolation,
  picture: Picture,
  width: number,
  height: number,
  crop: Crop,
): void {
  const actual = resampleAndCrop(picture, width, height, crop, filter);
  const expected = plainResizeAndCrop(planesOf(picture), width, height, crop, filter);
  const differing = countDifferences(actual, expected);
  const { strideX, strideY } = picture;
  const size = `${picture.width} x ${picture.height}, strides ${strideX} and ${strideY}`;
  const wanted = `${width} x ${height}, crop ${JSON.stringify(crop)}`;
  assert.equal(differing, 0, `${differing} bytes differ for ${size} to ${wanted}`);
}

for (const filter of INTERPOLATIONS) {
  const plain = `a plain Pillow's ${filter}`;

  Deno.test(`resampleAndCrop() equals ${plain} for random sizes, crops, orientations and strides`, () => {
    const random = seededRandom(1);
    for (let round = 0; round < 400; round++) {
      const picture = randomPicture(random, random.integer(1, 40), random.integer(1, 40));
      const width = random.integer(1, 40);
      const height = random.integer(1, 40);
      const left = random.integer(0, width - 1);
      const top = random.integer(0, height - 1);
      assertEqualsPlain(filter, picture, width, height, {
        left,
        top,
        width: random.integer(1, width - left),
        height: random.integer(1, height - top),
      });
    }
  });

  Deno.test(`resampleAndCrop() equals ${plain} when a side is one pixel, before or after`, () => {
    const random = seededRandom(2);
    const sizes = [[1, 1, 9, 7], [1, 60, 8, 11], [60, 1, 11, 8], [23, 31, 1, 1], [37, 19, 1, 12]];
    for (const [width, height, newWidth, newHeight] of sizes) {
      const data = random.bytes(width * height * 3);
      const picture = pictureFromRows(data, width, height, 3);
      assertEqualsPlain(filter, picture, newWidth, newHeight, whole(newWidth, newHeight));
    }
  });

  Deno.test(`resampleAndCrop() equals ${plain} when it shrinks or enlarges a lot`, () => {
    const random = seededRandom(3);
    assertEqualsPlain(filter, randomPicture(random, 400, 3), 5, 3, whole(5, 3));
    assertEqualsPlain(filter, randomPicture(random, 3, 400), 3, 5, whole(3, 5));
    assertEqualsPlain(filter, randomPicture(random, 4, 3), 90, 70, {
      left: 20,
      top: 30,
      width: 40,
      height: 9,
    });
  });

  Deno.test(`resampleAndCrop() cuts out exactly when the size stays, ${filter}`, () => {
    const picture = pictureFromRows(seededRandom(4).bytes(6 * 5 * 3), 6, 5, 3);
    const all = resampleAndCrop(picture, 6, 5, whole(6, 5), filter);
    assert.equal(countDifferences(all, asBytes(picture)), 0);
    const crop = { left: 2, top: 1, width: 3, height: 2 };
    const expected = [1, 2].flatMap((
      y,
    ) => [...picture.data.subarray((y * 6 + 2) * 3, (y * 6 + 5) * 3)]);
    assert.deepEqual([...resampleAndCrop(picture, 6, 5, crop, filter)], expected);
  });

  Deno.test(`resampleAndCrop() keeps a flat picture flat, ${filter}`, () => {
    for (const value of [0, 1, 127, 254, 255]) {
      const picture = pictureFromRows(new Uint8Array(31 * 17 * 4).fill(value), 31, 17, 4);
      for (const [width, height] of [[7, 5], [31, 17], [64, 50]]) {
        const out = resampleAndCrop(picture, width, height, whole(width, height), filter);
        assert.ok(out.every((v) => v === value), `${value} at ${width} x ${height}`);
      }
    }
  });
}

Deno.test("resampleAndCrop() stays between its samples when bilinear, and overshoots when bicubic", () => {
  const edge = pictureFromRows(Uint8Array.of(50, 50, 50, 200, 200, 200), 2, 1, 3);
  const [bicubic, bilinear] = INTERPOLATIONS.map((filter) =>
    resampleAndCrop(edge, 12, 1, whole(12, 1), filter)
  );
  assert.deepEqual([Math.min(...bilinear), Math.max(...bilinear)], [50, 200]);
  assert.ok(Math.min(...bicubic) < 50 && Math.max(...bicubic) > 200);
});

Deno.test("resampleAndCrop() never looks at a fourth byte", () => {
  const data = seededRandom(5).bytes(20 * 20 * 4);
  const other = data.map((v, i) => i % 4 === 3 ? 255 - v : v);
  const [a, b] = [data, other].map((d) =>
    resampleAndCrop(pictureFromRows(d, 20, 20, 4), 9, 9, whole(9, 9), "bicubic")
  );
  assert.deepEqual(a, b);
});

Deno.test("resampleAndCrop() leaves the picture as it was", () => {
  const data = seededRandom(6).bytes(20 * 20 * 3);
  const before = data.slice();
  resampleAndCrop(pictureFromRows(data, 20, 20, 3), 9, 30, whole(9, 30), "bicubic");
  assert.deepEqual(data, before);
});

Deno.test("resampleAndCrop() refuses a crop that does not lie within the resized picture", () => {
  const picture = pictureFromRows(new Uint8Array(4 * 4 * 3), 4, 4, 3);
  const inside = { left: 1, top: 2, width: 5, height: 4 };
  assert.equal(resampleAndCrop(picture, 6, 6, inside, "bicubic").length, 5 * 4 * 3);
  const outside = [{ left: -1 }, { top: -1 }, { left: 2 }, { top: 3 }, { width: 0 }, { height: 0 }];
  for (const wrong of outside) {
    const crop = { ...inside, ...wrong };
    assert.throws(() => resampleAndCrop(picture, 6, 6, crop, "bicubic"), {
      name: "RangeError",
      message: `Cannot crop ${crop.width} x ${crop.height} at ${crop.left}, ${crop.top} from 6 x 6`,
    });
  }
});

/** The picture's own bytes, where they are three to a pixel and in order. */
function asBytes({ data }: Picture): Uint8Array {
  return Uint8Array.from(data);
}
