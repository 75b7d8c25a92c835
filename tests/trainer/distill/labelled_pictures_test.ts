import assert from "node:assert/strict";
import { readLabelled } from "../../../trainer/distill/labelled_pictures.ts";
import { TrainerError } from "../../../trainer/errors.ts";
import { withFolder } from "../embedding/temporary_folder.ts";

/** Reads a table. */
const withTable = (
  rows: readonly string[],
  test: (dataset: string) => Promise<void>,
) =>
  withFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/labels.csv`, rows.join("\n"));
    await test(`csv:${folder}/labels.csv`);
  });

Deno.test("readLabelled() learns the data set's own words, and nothing from what it is measured on", () =>
  withTable([
    "file,label,split",
    "a.jpg,joy,train",
    "b.jpg,awe,",
    "c.jpg,rage,test",
    "d.jpg,awe,validation",
    "e.jpg,joy,",
  ], async (dataset) => {
    const { pictures, labels, labelOf, groups, notes } = await readLabelled({
      dataset,
      options: {},
    });
    assert.deepEqual(pictures.map(({ name }) => name), ["a.jpg", "b.jpg", "e.jpg"]);
    assert.deepEqual(labels, ["awe", "joy"]);
    assert.deepEqual(labelOf, [1, 0, 1]);
    assert.equal(groups, undefined);
    assert.match(notes.join(" "), /test and validation parts, 2 pictures, are not learned from/);
  }));

Deno.test("readLabelled() numbers the groups that pictures share", () =>
  withTable(
    ["file,label,theme", "a.jpg,joy,dog", "b.jpg,awe,sea", "c.jpg,joy,dog"],
    async (dataset) => {
      const { groups } = await readLabelled({ dataset, options: { groupBy: "theme" } });
      assert.deepEqual(groups, [0, 1, 0]);
    },
  ));

Deno.test("readLabelled() refuses labels of which one alone may be learned from", () =>
  withTable(["file,label,split", "a.jpg,joy,train", "b.jpg,awe,test"], async (dataset) => {
    await assert.rejects(
      readLabelled({ dataset, options: {} }),
      (error) =>
        error instanceof TrainerError &&
        /1 pictures with 1 of its labels are left.*at least two labels/.test(error.message),
    );
  }));
