import assert from "node:assert/strict";
import {
  CLIP_PREPROCESSING,
  normalize,
  pictureFromRows,
  preprocess,
  type Preprocessing,
} from "@clip-e/shared";
import {
  SHARD_VIEWS,
  shardName,
  ViewBank,
  writeViews,
} from "../../../trainer/distill/view_bank.ts";
import {
  meanOverRegions,
  measureFeatures,
  toPixels,
  ViewBatches,
} from "../../../trainer/distill/view_batches.ts";
import { withFolder } from "../embedding/temporary_folder.ts";

const FORMAT = { size: 8, dimensions: 2, side: 2 };
const AT_8: Preprocessing = { ...CLIP_PREPROCESSING, resize: 8, crop: 8 };

/** A view whose pixels and features are its number, the second of these in every region another. */
const makeView = (number: number) =>
  Promise.resolve({
    pixels: new Uint8Array(3 * 8 * 8).fill(number),
    features: Float32Array.of(number, 0, number, 1, number, 2, number, 5),
  });

const withBank = (test: (bank: ViewBank) => void) =>
  withFolder(async (folder) => {
    await writeViews(`${folder}/${shardName(0)}`, FORMAT, SHARD_VIEWS, makeView, "test");
    const bank = new ViewBank(folder, FORMAT);
    test(bank);
    bank.close();
  });

Deno.test("ViewBatches reads every view once in a pass, in an order of the seed and the pass", () =>
  withBank((bank) => {
    const orderOf = (seed: number, pass: number) => {
      const options = { bank, views: 100, batch: 30, preprocessing: AT_8, seed };
      const batches = new ViewBatches(options);
      assert.equal(batches.perPass, 3);
      return [0, 1, 2].flatMap((i) => {
        const { features } = batches.read(3 * pass + i);
        return [...features].filter((_, at) => at % 8 === 0);
      });
    };
    const first = orderOf(1, 0);
    assert.equal(new Set(first).size, 90);
    assert.ok(first.every((number) => number < 100));
    assert.deepEqual(orderOf(1, 0), first);
    assert.notDeepEqual(orderOf(1, 1), first);
    assert.notDeepEqual(orderOf(2, 0), first);
  }));

Deno.test("ViewBatches gives pixels as they are served, and features as the teacher has them", () =>
  withBank((bank) => {
    const options = { bank, views: 4, batch: 4, preprocessing: AT_8, seed: 3 };
    const { pixels, features } = new ViewBatches(options).read(0);
    for (let i = 0; i < 4; i++) {
      const [number] = features.subarray(i * 8);
      const { pixels: bytes, features: own } = bank.read([number]);
      assert.deepEqual(pixels.slice(i * 192, (i + 1) * 192), normalize(bytes, AT_8));
      assert.deepEqual(features.slice(i * 8, (i + 1) * 8), own);
    }
  }));

Deno.test("ViewBatches mixes views with labels among the others, each once in a pass", () =>
  withFolder(async (folder) => {
    const withPlaces = { ...FORMAT, hasPlaces: true } as const;
    const [plain, told] = [`${folder}/plain`, `${folder}/told`];
    await Deno.mkdir(plain);
    await Deno.mkdir(told);
    await writeViews(`${plain}/${shardName(0)}`, FORMAT, SHARD_VIEWS, makeView, "test");
    // Numbered from 128 on, each of picture 0, 1 or 2.
    const makeTold = async (number: number) => ({
      ...await makeView(128 + number % 64),
      place: number % 3,
    });
    await writeViews(`${told}/${shardName(0)}`, withPlaces, SHARD_VIEWS, makeTold, "test");
    const bank = new ViewBank(plain, FORMAT);
    const labelled = {
      bank: new ViewBank(told, withPlaces),
      views: 33,
      labels: 2,
      labelOf: [1, 0, 1],
    };
    const options = { bank, views: 67, labelled, batch: 25, preprocessing: AT_8, seed: 4 };
    const batches = new ViewBatches(options);
    assert.equal(batches.perPass, 4);
    const seen: number[] = [];
    const shares: number[] = [];
    for (let step = 0; step < 4; step++) {
      const { pixels, features, targets } = batches.read(step);
      assert.ok(targets);
      assert.equal(targets.length, 25 * 2);
      assert.deepEqual(batches.read(step).targets, targets);
      for (let i = 0; i < 25; i++) {
        const number = features[i * 8];
        const label = number < 128 ? undefined : [1, 0, 1][(number - 128) % 3];
        const expected = [0, 1].map((k) => k === label ? 1 : 0);
        assert.deepEqual([...targets.subarray(2 * i, 2 * i + 2)], expected);
        const own = normalize(new Uint8Array(192).fill(number), AT_8);
        assert.deepEqual(pixels.slice(i * 192, (i + 1) * 192), own);
        seen.push(number);
      }
      shares.push(targets.reduce((sum, x) => sum + x, 0));
    }
    const numbers = [...Array(67).keys(), ...Array.from({ length: 33 }, (_, i) => 128 + i)];
    assert.deepEqual(seen.toSorted((a, b) => a - b), numbers);
    assert.ok(shares.every((count) => count > 0 && count < 25), `${shares} in a batch`);
    bank.close();
    labelled.bank.close();
  }));

Deno.test("toPixels() makes views smaller as preprocessing would", () => {
  const pixels = Uint8Array.from({ length: 3 * 8 * 8 }, (_, i) => (i * 37) % 256);
  const preprocessing = { ...AT_8, resize: 4, crop: 4 };
  assert.deepEqual(
    toPixels({ pixels, features: new Float32Array() }, 8, preprocessing),
    preprocess(pictureFromRows(pixels, 8, 8, 3), preprocessing),
  );
});

Deno.test("measureFeatures() takes the mean and the deviation of embeddings, not of regions", () =>
  withBank((bank) => {
    const { mean, deviation } = measureFeatures(bank, 101);
    assert.deepEqual([...mean], [50, 2]);
    // Of 0 to 100, and of a constant, which is not to be divided by.
    assert.ok(Math.abs(deviation[0] - Math.sqrt((101 ** 2 - 1) / 12)) < 1e-4);
    assert.equal(deviation[1], Math.fround(1e-3));
  }));

Deno.test("meanOverRegions() is a view's embedding", () => {
  const features = Float32Array.of(1, 10, 3, 20);
  assert.deepEqual(
    meanOverRegions({ pixels: new Uint8Array(), features }, 2),
    Float32Array.of(2, 15),
  );
});
