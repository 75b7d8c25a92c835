/**
 * Real workers that make the views of real pictures, with the statistics encoder as the teacher.
 */

import assert from "node:assert/strict";
import { AUGMENT } from "../../../trainer/distill/augment.ts";
import {
  type BankRequest,
  fillBank,
  type FillOptions,
} from "../../../trainer/distill/fill_bank.ts";
import { HELD_OUT, SHARD_VIEWS, shardName, ViewBank } from "../../../trainer/distill/view_bank.ts";
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
