import { orient, type Picture, pictureFromRows } from "@clip-e/shared";
import assert from "node:assert/strict";
import { seededRandom } from "../random.ts";

/** A picture whose pixels all differ: red says the column, green the row. */
function numbered(width: number, height: number, channels: 3 | 4): Picture {
  const data = new Uint8Array(width * height * channels);
  for (let y = 0, i = 0; y < height; y++) {
    for (let x = 0; x < width; x++, i += channels) data.set([x, y, x ^ y], i);
  }
  return pictureFromRows(data, width, height, channels);
}

/** The pixel at (x, y), as seen. */
function pixel({ data, offset, strideX, strideY }: Picture, x: number, y: number): number[] {
  const i = offset + x * strideX + y * strideY;
  return [...data.subarray(i, i + 3)];
}

/** All pixels, as seen, row by row. */
function pixels(picture: Picture): number[][] {
  const { width, height } = picture;
  return Array.from({ length: width * height }, (_, i) => {
    return pixel(picture, i % width, Math.floor(i / width));
  });
}

const SIDES = { left: "x", right: "x", top: "y", bottom: "y" } as const;

/**
 * CIPA DC-008, 4.6.5: for each orientation, the side of the upright picture that the stored first row is, and the side
 * that the stored first column is.
 */
const STORED: Readonly<
  Record<number, readonly [row: keyof typeof SIDES, column: keyof typeof SIDES]>
> = {
  1: ["top", "left"],
  2: ["top", "right"],
  3: ["bottom", "right"],
  4: ["bottom", "left"],
  5: ["left", "top"],
  6: ["right", "top"],
  7: ["right", "bottom"],
  8: ["left", "bottom"],
};

/** Where the stored pixel (column, row) is seen, by that table. */
function seenAt(
  orientation: number,
  column: number,
  row: number,
  width: number,
  height: number,
): [x: number, y: number] {
  const at = { x: 0, y: 0 };
  const [rowSide, columnSide] = STORED[orientation];
  for (const [side, distance] of [[rowSide, row], [columnSide, column]] as const) {
    const last = (SIDES[side] === "x" ? width : height) - 1;
    at[SIDES[side]] = side === "left" || side === "top" ? distance : last - distance;
  }
  return [at.x, at.y];
}

Deno.test("pictureFromRows() finds each pixel, with 3 bytes and with 4", () => {
  const rgb = pictureFromRows(Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12), 2, 2, 3);
  assert.deepEqual(pixels(rgb), [[1, 2, 3], [4, 5, 6], [7, 8, 9], [10, 11, 12]]);
  const rgba = pictureFromRows(Uint8ClampedArray.of(1, 2, 3, 0, 4, 5, 6, 255), 1, 2, 4);
  assert.deepEqual(pixels(rgba), [[1, 2, 3], [4, 5, 6]]);
});

Deno.test("pictureFromRows() refuses data of another length", () => {
  for (const length of [0, 23, 25, 32]) {
    assert.throws(() => pictureFromRows(new Uint8Array(length), 4, 2, 3), {
      name: "RangeError",
      message: `Cannot make a picture of 4 x 2 x 3 from ${length} bytes`,
    });
  }
});

for (const orientation of Object.keys(STORED).map(Number)) {
  Deno.test(`orient() shows each pixel where orientation ${orientation} of the standard says`, () => {
    const sizes = [[5, 3], [3, 5], [4, 4], [1, 6], [6, 1], [1, 1]];
    for (const [width, height] of sizes) {
      for (const channels of [3, 4] as const) {
        const stored = numbered(width, height, channels);
        const upright = orient(stored, orientation);
        const size = orientation >= 5 ? [height, width] : [width, height];
        assert.deepEqual([upright.width, upright.height], size);
        for (let row = 0; row < height; row++) {
          for (let column = 0; column < width; column++) {
            const [x, y] = seenAt(orientation, column, row, upright.width, upright.height);
            assert.deepEqual(pixel(upright, x, y), pixel(stored, column, row));
          }
        }
      }
    }
  });
}

Deno.test("orient() copies nothing", () => {
  const stored = numbered(5, 3, 4);
  for (let orientation = 1; orientation <= 8; orientation++) {
    assert.equal(orient(stored, orientation).data, stored.data);
  }
});

Deno.test("orient() is undone by the inverse turn: 6 and 8 undo each other, all else itself", () => {
  const stored = numbered(7, 4, 3);
  for (let orientation = 1; orientation <= 8; orientation++) {
    const inverse = { 6: 8, 8: 6 }[orientation] ?? orientation;
    assert.deepEqual(orient(orient(stored, orientation), inverse), stored, `${orientation}`);
  }
});

Deno.test("orient() of a view is as if its pixels had been copied first", () => {
  const random = seededRandom(1);
  for (let round = 0; round < 100; round++) {
    const first = random.integer(1, 8);
    const second = random.integer(1, 8);
    const view = orient(numbered(random.integer(1, 6), random.integer(1, 6), 4), first);
    const copy = pictureFromRows(
      Uint8Array.from(pixels(view).flat()),
      view.width,
      view.height,
      3,
    );
    assert.deepEqual(pixels(orient(view, second)), pixels(orient(copy, second)));
  }
});

Deno.test("orient() leaves the picture as it is for any other value", () => {
  const stored = numbered(4, 3, 3);
  for (const orientation of [0, 9, -1, 1.5, NaN, 65535]) {
    assert.equal(orient(stored, orientation), stored);
  }
});
