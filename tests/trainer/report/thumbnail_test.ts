import assert from "node:assert/strict";
import sharp from "sharp";
import { addThumbnails, makeThumbnail } from "../../../trainer/report/thumbnail.ts";
import { readPicture } from "../../golden_file.ts";
import { makeSyntheticExperiment } from "./synthetic_experiment.ts";

async function sizeOf(thumbnail: string | undefined): Promise<[number, number]> {
  const [, base64 = ""] = thumbnail?.match(/^data:image\/jpeg;base64,(.*)$/) ?? [];
  const { width, height, format } = await sharp(Uint8Array.fromBase64(base64)).metadata();
  assert.equal(format, "jpeg");
  return [width, height];
}

Deno.test("makeThumbnail() makes a JPEG whose longest side is 160", async () => {
  const thumbnail = await makeThumbnail(await readPicture("storm.jpg"));
  const [width, height] = await sizeOf(thumbnail);
  assert.equal(width, 160);
  assert.ok(Math.abs(height - 160 * 683 / 1024) < 1, `${height}`);
  assert.ok((thumbnail?.length ?? 0) < 12_000);
});

Deno.test("makeThumbnail() turns pictures upright", async () => {
  const lying = await sharp({ create: { width: 40, height: 20, channels: 3, background: "red" } })
    .jpeg().withMetadata({ orientation: 6 }).toBuffer();
  assert.deepEqual(await sizeOf(await makeThumbnail(lying)), [20, 40]);
});

Deno.test("makeThumbnail() gives nothing of what is no picture", async () => {
  assert.equal(await makeThumbnail(await readPicture("bad/notes.txt")), undefined);
  assert.equal(await makeThumbnail(new Uint8Array()), undefined);
});

Deno.test("addThumbnails() reads each picture once, and goes on where one cannot be read", async () => {
  const picture = await readPicture("small.jpg");
  const { tasks, ...rest } = makeSyntheticExperiment();
  const experiment = { ...rest, tasks: [tasks[0], tasks[0]] };
  const [missing, broken] = tasks[0].mistakes.map(({ name }) => name);
  const asked: string[] = [];
  const illustrated = await addThumbnails(experiment, (dataset, name) => {
    asked.push(`${dataset}: ${name}`);
    if (name === missing) return Promise.reject(new Error("gone"));
    return Promise.resolve(name === broken ? new Uint8Array(9) : picture);
  });
  assert.deepEqual(asked, tasks[0].mistakes.map(({ name }) => `webemo: ${name}`));
  for (const { mistakes } of illustrated.tasks) {
    assert.deepEqual(
      mistakes.map(({ thumbnail }) => thumbnail !== undefined),
      mistakes.map(({ name }) => name !== missing && name !== broken),
    );
  }
  assert.equal(experiment.tasks[0].mistakes[2].thumbnail, undefined);
});
