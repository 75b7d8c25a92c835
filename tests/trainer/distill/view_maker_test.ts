import assert from "node:assert/strict";
import {
  CLIP_PREPROCESSING,
  type Picture,
  pictureFromRows,
  preprocess,
  resizeAndCrop,
} from "@clip-e/shared";
import {
  holdOut,
  studentPreprocessing,
  ViewMaker,
  type ViewOptions,
} from "../../../trainer/distill/view_maker.ts";
import { Random } from "../../../trainer/random.ts";

const OPTIONS: ViewOptions = {
  area: 0.25,
  colour: 0.3,
  mix: 0,
  mosaic: 0,
  pictures: 20,
  heldOut: 4,
  seed: 6,
  preprocessing: { ...CLIP_PREPROCESSING, resize: 36, crop: 32 },
  size: 16,
};

/** A picture that depends on its place. */
function pictureAt(place: number): Picture {
  const random = new Random(place);
  const bytes = Uint8Array.from({ length: 50 * 40 * 3 }, () => 256 * random.next());
  return pictureFromRows(bytes, 50, 40, 3);
}

/** A maker, and the places of the pictures that it opened. */
function makeMaker(options: Partial<ViewOptions> = {}) {
  const opened: number[] = [];
  const maker = new ViewMaker({ ...OPTIONS, ...options }, (place) => {
    opened.push(place);
    return Promise.resolve({ picture: pictureAt(place), place });
  });
  return { maker, opened };
}

Deno.test("ViewMaker makes a view of its number alone, in any order", async () => {
  const [a, b] = [makeMaker().maker, makeMaker().maker];
  const forwards = [await a.learn(0), await a.learn(17), await a.learn(40)];
  const backwards = [await b.learn(40), await b.learn(17), await b.learn(0)];
  assert.deepEqual(backwards.toReversed(), forwards);
  assert.notDeepEqual(forwards[0], forwards[1]);
  assert.notDeepEqual(await makeMaker({ seed: 7 }).maker.learn(0), forwards[0]);
});

Deno.test("ViewMaker uses every picture once before one again, and none that is held out", async () => {
  const { maker, opened } = makeMaker();
  for (let i = 0; i < 4; i++) await maker.holdOut(i);
  const heldOut = opened.splice(0);
  for (let i = 0; i < 32; i++) await maker.learn(i);
  const sorted = (places: readonly number[]) => places.toSorted((a, b) => a - b);
  const [first, second] = [opened.slice(0, 16), opened.slice(16)];
  assert.deepEqual(sorted([...first, ...heldOut]), [...Array(20).keys()]);
  assert.deepEqual(sorted(second), sorted(first));
  assert.notDeepEqual(second, first);
});

Deno.test("ViewMaker says which picture a view is of, where another was opened than the wanted one", async () => {
  const maker = new ViewMaker(
    OPTIONS,
    (wanted) => Promise.resolve({ picture: pictureAt(wanted), place: 100 + wanted }),
  );
  const { opened, maker: same } = makeMaker();
  await same.learn(5);
  await same.holdOut(2);
  const places = [(await maker.learn(5)).place, (await maker.holdOut(2)).place];
  assert.deepEqual(places, opened.map((place) => 100 + place));
});

Deno.test("holdOut() never holds a picture out and lets others of its group be learned from", () => {
  const groups = Array.from({ length: 20 }, (_, place) => Math.floor(place / 3));
  const { heldOut, learned } = holdOut({ ...OPTIONS, groups });
  assert.equal(heldOut.length, 4);
  const apart = new Set(heldOut.map((place) => groups[place]));
  assert.equal(apart.size, 2, "as few groups as there may be");
  const others = [...groups.keys()].filter((place) => !apart.has(groups[place]));
  assert.deepEqual(learned.toSorted((a, b) => a - b), others);
});

Deno.test("ViewMaker shows both the same: the student's view is the teacher's, made smaller", async () => {
  const { teacher, student } = await makeMaker().maker.learn(3);
  const { mean, std, crop } = OPTIONS.preprocessing;
  const bytes = new Uint8Array(crop * crop * 3);
  for (let c = 0; c < 3; c++) {
    for (let i = 0; i < crop * crop; i++) {
      bytes[3 * i + c] = Math.round((teacher[c * crop * crop + i] * std[c] + mean[c]) * 255);
    }
  }
  const picture = pictureFromRows(bytes, crop, crop, 3);
  const size = { resize: 16, crop: 16, interpolation: "bicubic" } as const;
  assert.deepEqual(student, resizeAndCrop(picture, size));
});

Deno.test("ViewMaker lays as many views over another as it is told to", async () => {
  const { maker, opened } = makeMaker({ mix: 0.5 });
  for (let i = 0; i < 200; i++) await maker.learn(i);
  const mixed = opened.length - 200;
  assert.ok(mixed > 70 && mixed < 130, `${mixed} of 200`);
});

Deno.test("ViewMaker lays small pictures side by side, as often as it is told to", async () => {
  // Of 40 pixels, two are to a row of 128.
  const preprocessing = { ...OPTIONS.preprocessing, resize: 128, crop: 128 };
  const { maker, opened } = makeMaker({ mosaic: 0.5, preprocessing });
  let several = 0;
  for (let i = 0; i < 100; i++) {
    await maker.learn(i);
    const count = opened.splice(0).length;
    assert.ok(count === 1 || count === 4);
    if (count === 4) several++;
  }
  assert.ok(several > 30 && several < 70, `${several} of 100`);
});

Deno.test("ViewMaker shows pictures that are held out as they are served", async () => {
  const { maker, opened } = makeMaker();
  const { teacher, student } = await maker.holdOut(2);
  const picture = pictureAt(opened[0]);
  assert.deepEqual(teacher, preprocess(picture, OPTIONS.preprocessing));
  assert.deepEqual(
    student,
    resizeAndCrop(picture, studentPreprocessing(OPTIONS.preprocessing, 16)),
  );
});

Deno.test("studentPreprocessing() keeps the teacher's way, with the same share cut off", () => {
  const { preprocessing } = OPTIONS;
  assert.deepEqual(studentPreprocessing(preprocessing, 16), {
    ...preprocessing,
    resize: 18,
    crop: 16,
  });
});
