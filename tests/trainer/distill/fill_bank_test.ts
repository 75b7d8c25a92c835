/**
 * Real workers that make the views of real pictures, with the statistics encoder as the teacher.
 */

import assert from "node:assert/strict";
import sharp from "sharp";
import { sha256 } from "@clip-e/shared";
import { AUGMENT, type AugmentOptions } from "../../../trainer/distill/augment.ts";
import {
  type BankRequest,
  fillBank,
  type FillOptions,
} from "../../../trainer/distill/fill_bank.ts";
import { HELD_OUT, SHARD_VIEWS, shardName, ViewBank } from "../../../trainer/distill/view_bank.ts";
import { holdOut } from "../../../trainer/distill/view_maker.ts";
import { TrainerError } from "../../../trainer/errors.ts";
import { makeEncoder, writePictures } from "../embedding/made_up.ts";
import { withFolder } from "../embedding/temporary_folder.ts";

const teacher = await makeEncoder();
const request = (folder: string, seed = 1): BankRequest => ({
  teacher,
  dimensions: teacher.size ?? 0,
  pictures: [`${folder}/pictures`],
  size: 8,
  augment: AUGMENT,
  seed,
});
const options = (more: Partial<FillOptions> = {}): FillOptions => ({
  views: SHARD_VIEWS + 1,
  backend: "wasm",
  workers: 2,
  ...more,
});

/** A PNG of one grey. */
async function drawGrey(value: number): Promise<Uint8Array<ArrayBuffer>> {
  const background = { r: value, g: value, b: value };
  const create = { width: 40, height: 30, channels: 3, background } as const;
  return new Uint8Array(await sharp({ create }).png().toBuffer());
}

Deno.test("fillBank() makes what is missing, and the same as before", () =>
  withFolder(async (folder) => {
    await writePictures(folder, 24);
    const first = await fillBank(request(folder), `${folder}/cache`, options());
    assert.deepEqual([first.views, first.heldOut], [2 * SHARD_VIEWS, 2]);
    const views = `${folder}/cache/views-${first.name}`;
    const files = await Promise.all(
      [HELD_OUT, shardName(0), shardName(1)].map((name) => Deno.readFile(`${views}/${name}`)),
    );

    await Deno.remove(`${views}/${shardName(1)}`);
    const counts = { known: 0, made: 0 };
    await fillBank(
      request(folder),
      `${folder}/cache`,
      options({ onViews: (count, isNew) => void (counts[isNew ? "made" : "known"] += count) }),
    );
    assert.deepEqual(counts, { known: 2 + SHARD_VIEWS, made: SHARD_VIEWS });
    assert.deepEqual(await Deno.readFile(`${views}/${shardName(1)}`), files[2]);

    const { pixels, features } = first.bank.read([SHARD_VIEWS + 3]);
    first.bank.close();
    const bytes = files[2].length / SHARD_VIEWS;
    assert.deepEqual(pixels, files[2].slice(3 * bytes, 3 * bytes + 3 * 8 * 8));
    assert.equal(features.length, teacher.size);
    assert.ok(features.some((x) => x !== 0));
  }));

Deno.test("fillBank() keeps the views of other requests apart", () =>
  withFolder(async (folder) => {
    await writePictures(folder, 4);
    const only = options({ views: 0 });
    const names = await Promise.all([1, 2].map(async (seed) => {
      const { bank, name } = await fillBank(request(folder, seed), `${folder}/cache`, only);
      bank.close();
      return name;
    }));
    assert.notEqual(names[0], names[1]);
  }));

Deno.test("fillBank() takes the next picture for one that cannot be read, and says so", () =>
  withFolder(async (folder) => {
    await writePictures(folder, 3);
    await Deno.writeTextFile(`${folder}/pictures/even/bad.jpg`, "no picture");
    const told: string[] = [];
    const { bank } = await fillBank(
      request(folder),
      `${folder}/cache`,
      options({ views: 1, workers: 1, onUnreadable: (name) => void told.push(name) }),
    );
    bank.close();
    assert.deepEqual(told, ["even/bad.jpg"]);
  }));

/** The name of a bank of pictures without labels, which must stay what it was: views of old are used again. */
async function nameOf(augment: AugmentOptions, names: readonly string[]): Promise<string> {
  const { sha256: digest, preprocessing, size: dimensions } = teacher;
  const views = { ...augment, pictures: names.length, heldOut: 1, seed: 1, preprocessing, size: 8 };
  const key = JSON.stringify([digest, { size: 8, dimensions, side: 1 }, views, names]);
  return (await sha256(new TextEncoder().encode(key))).slice(0, 16);
}

Deno.test("fillBank() finds views again that were made before there were labels", () =>
  withFolder(async (folder) => {
    await writePictures(folder, 3);
    const name = await nameOf(AUGMENT, ["even/000.jpg", "even/002.jpg", "odd/001.jpg"]);
    await Deno.mkdir(`${folder}/cache/views-${name}`, { recursive: true });
    await Deno.writeFile(`${folder}/cache/views-${name}/${HELD_OUT}`, new Uint8Array());
    let made = 0;
    const onViews = (count: number, isNew: boolean) => void (made += isNew ? count : 0);
    const only = options({ views: 0, onViews });
    const filled = await fillBank(request(folder), `${folder}/cache`, only);
    filled.bank.close();
    assert.deepEqual([filled.name, made], [name, 0]);
  }));

Deno.test("fillBank() keeps which picture a view is of, whatever cannot be read, and apart from other views", () =>
  withFolder(async (folder) => {
    // Each of one grey, so that a view tells which it is of.
    const grey = (place: number) => 20 + 30 * place;
    // What stands behind one that cannot be read is held out, and not to be learned from in its stead.
    const [apart] = holdOut({ pictures: 7, heldOut: 1, seed: 1 }).heldOut;
    const bad = [(apart + 6) % 7, (apart + 2) % 7];
    const rows: string[] = [];
    for (let place = 0; place < 7; place++) {
      const name = `${place}.png`;
      rows.push(`${name},${place % 2 === 0 ? "even" : "odd"}`);
      await Deno.writeFile(
        `${folder}/${name}`,
        bad.includes(place) ? new Uint8Array(9) : await drawGrey(grey(place)),
      );
    }
    await Deno.writeTextFile(`${folder}/labels.csv`, ["file,label", ...rows].join("\n"));
    const labelled: BankRequest = {
      ...request(folder),
      pictures: { dataset: `csv:${folder}/labels.csv`, options: {} },
      augment: { ...AUGMENT, colour: 0, mix: 0, mosaic: 0 },
    };
    const only = options({ views: SHARD_VIEWS, workers: 1 });
    const { bank, heldOut, name } = await fillBank(labelled, `${folder}/cache`, only);
    const told = [new Set<number>(), new Set<number>()];
    for (let i = 0; i < SHARD_VIEWS + heldOut; i++) {
      const isLearned = i < SHARD_VIEWS;
      const read = isLearned ? bank.read([i]) : bank.readHeldOut([i - SHARD_VIEWS]);
      const { pixels, features, places: [place] = [] } = read;
      assert.equal(pixels[0], grey(place));
      assert.equal(features.length, teacher.size);
      told[isLearned ? 0 : 1].add(place);
    }
    bank.close();
    assert.deepEqual([...told[1]], [apart]);
    const rest = [...Array(7).keys()].filter((place) => place !== apart && !bad.includes(place));
    assert.deepEqual([...told[0]].sort(), rest);

    const names = [...Array(7).keys()].map((place) => `${place}.png`);
    assert.notEqual(name, await nameOf(labelled.augment, names));
  }));

Deno.test("fillBank() refuses pictures of one group, of which none could be held out", () =>
  withFolder(async (folder) => {
    await writePictures(folder, 2);
    const table = "file,label,theme\npictures/even/000.jpg,even,a\npictures/odd/001.jpg,odd,a\n";
    await Deno.writeTextFile(`${folder}/labels.csv`, table);
    const dataset = { dataset: `csv:${folder}/labels.csv`, options: { groupBy: "theme" } };
    await assert.rejects(
      fillBank({ ...request(folder), pictures: dataset }, `${folder}/cache`, options()),
      /Cannot hold 1 of 2 pictures out: all of them are of one group/,
    );
  }));

Deno.test("fillBank() stops when it is told to, and leaves no half file", () =>
  withFolder(async (folder) => {
    await writePictures(folder, 4);
    const stop = new AbortController();
    let seen = 0;
    await assert.rejects(
      fillBank(
        request(folder),
        `${folder}/cache`,
        options({
          signal: stop.signal,
          onViews: () => void (++seen === 5 && stop.abort(new TrainerError("Stopped"))),
        }),
      ),
      /Stopped/,
    );
    const [bank] = Deno.readDirSync(`${folder}/cache`);
    const files = [...Deno.readDirSync(`${folder}/cache/${bank.name}`)].map(({ name }) => name);
    assert.deepEqual(files.filter((name) => !name.endsWith(".views")), []);
  }));

Deno.test("fillBank() refuses a single picture", () =>
  withFolder(async (folder) => {
    await writePictures(folder, 1);
    await assert.rejects(
      fillBank(request(folder), `${folder}/cache`, options()),
      /Cannot distill from one picture/,
    );
  }));

Deno.test("ViewBank says which file is missing or damaged, and what to do", () =>
  withFolder(async (folder) => {
    const bank = new ViewBank(folder, { size: 8, dimensions: 4, side: 1 });
    assert.throws(() => bank.read([0]), /00000\.views: .*Delete the file, and it is made anew/s);
    await Deno.writeFile(`${folder}/${HELD_OUT}`, new Uint8Array(10));
    assert.throws(() => bank.readHeldOut([0]), /held-out\.views: it is too short/);
    bank.close();
  }));
