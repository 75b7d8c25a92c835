import assert from "node:assert/strict";
import { type Picture, pictureFromRows } from "@clip-e/shared";
import { augment, blend, countCells, placeCell } from "../../../trainer/distill/augment.ts";
import { Random } from "../../../trainer/random.ts";

const SIZE = 16;
const AS_IT_IS = { area: 1, colour: 0, mix: 0, mosaic: 0 };

/** Red grows to the right, green downwards. */
function slope(width: number, height: number): Picture {
  const data = new Uint8Array(width * height * 3);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      data.set([x * 255 / (width - 1), y * 255 / (height - 1), 100], (y * width + x) * 3);
    }
  }
  return pictureFromRows(data, width, height, 3);
}

Deno.test("augment() gives the same view for the same seed, and another for another", () => {
  const options = { ...AS_IT_IS, area: 0.3, colour: 0.3 };
  const view = (seed: number) => augment(slope(40, 30), SIZE, options, new Random(seed));
  assert.deepEqual(view(1), view(1));
  assert.notDeepEqual(view(1), view(2));
});

Deno.test("augment() shows as much of the picture as it is told to, mirrored half of the time", () => {
  const views = 400;
  const random = new Random(3);
  const [all, parts] = [1, 0.25].map((area) =>
    Array.from({ length: views }, () => {
      const view = augment(slope(64, 64), SIZE, { ...AS_IT_IS, area }, random);
      const [left, right] = [view[0], view[(SIZE - 1) * 3]];
      const [top, bottom] = [view[1], view[(SIZE - 1) * SIZE * 3 + 1]];
      return { left, right, share: Math.abs(right - left) * (bottom - top) / 255 ** 2 };
    })
  );
  const shares = (views: typeof all) => views.map(({ share }) => share).sort((a, b) => a - b);
  assert.ok(shares(all)[0] > 0.7, "the whole picture, but for what proportions cut off");
  const [least, most] = [shares(parts)[0], shares(parts)[views - 1]];
  assert.ok(least > 0.18 && least < 0.27 && most > 0.8, `from ${least} to ${most}`);
  const mirrored = all.filter(({ left, right }) => left > right).length / views;
  assert.ok(mirrored > 0.4 && mirrored < 0.6, `${mirrored} mirrored`);
});

Deno.test("augment() enlarges no small part of a small picture", () => {
  const random = new Random(4);
  for (let i = 0; i < 100; i++) {
    const view = augment(slope(20, 20), 64, { ...AS_IT_IS, area: 0.1 }, random);
    const width = Math.abs(view[63 * 3] - view[0]) / 255;
    const height = (view[63 * 64 * 3 + 1] - view[1]) / 255;
    assert.ok(width * height > 0.45, `${width} x ${height}`);
  }
});

Deno.test("countCells() tells how many small pictures have room in a row", () => {
  assert.equal(countCells(slope(300, 200), 224), 1);
  assert.equal(countCells(slope(64, 80), 224), 2);
  assert.equal(countCells(slope(40, 40), 224), 4);
});

Deno.test("placeCell() puts a cell in its place, and leaves out what has no room", () => {
  const view = new Uint8Array(3 * 9);
  placeCell(view, 3, new Uint8Array(12).fill(7), 2, 2, 1);
  const changed = [...view.keys()].filter((i) => view[i] === 7);
  assert.deepEqual(changed, [15, 16, 17, 24, 25, 26]);
});

Deno.test("augment() changes colours only where it is told to", () => {
  const grey = pictureFromRows(new Uint8Array(30 * 30 * 3).fill(120), 30, 30, 3);
  const random = new Random(5);
  assert.ok(augment(grey, SIZE, AS_IT_IS, random).every((value) => value === 120));
  const changed = augment(grey, SIZE, { ...AS_IT_IS, colour: 0.3 }, random);
  assert.ok(changed.every((value) => value === changed[0] && value >= 84 && value <= 156));
  assert.notEqual(changed[0], 120);
});

Deno.test("blend() lays a view over another by its share", () => {
  const below = Uint8Array.of(0, 100, 200);
  blend(below, Uint8Array.of(100, 100, 0), 0.25);
  assert.deepEqual(below, Uint8Array.of(25, 100, 150));
});
