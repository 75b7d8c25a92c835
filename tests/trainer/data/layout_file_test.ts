import assert from "node:assert/strict";
import { join } from "node:path";
import { readLayoutFile } from "../../../trainer/data/layout_file.ts";
import { readDataset } from "../../../trainer/data/read_dataset.ts";
import {
  assertReadable,
  CORRUPTED,
  pairs,
  PICTURE,
  pictures,
  plainTaxonomies,
  problem,
  withFiles,
} from "./samples.ts";

/** What goes wrong with a layout file of these fields. */
async function layoutProblem(fields: unknown): Promise<string> {
  const said: string[] = [];
  await withFiles({ "my.json": JSON.stringify(fields) }, async (folder) => {
    said.push(await problem(readLayoutFile(join(folder, "my.json"))));
  });
  return said[0];
}

const TABLES = {
  labels: {
    kind: "tables",
    tables: [{ file: "all.tsv" }],
    separator: "tab",
    hasHeader: true,
    columns: { picture: "name", label: "mood", split: "part", group: "who" },
    pictures: ["jpg/{file}", "{path}"],
  },
};

Deno.test("readDataset() reads a folder by a layout of the user's own", async () => {
  const files = {
    "my.json": JSON.stringify({
      ...TABLES,
      taxonomy: "primary",
      maps: { polarity: { joy: "positive", dread: "negative" } },
    }),
    "data/all.tsv": "name\tmood\tpart\twho\nx/a b.jpg\tjoy\ttrain\tada\n" +
      "x/corrupted.jpg\tdread\ttesting\tbob\n",
    "data/jpg/a b.jpg": PICTURE,
    "data/jpg/corrupted.jpg": CORRUPTED,
  };
  await withFiles(files, async (folder) => {
    const dataset = await readDataset(`folder:${join(folder, "data")}`, {
      layout: join(folder, "my.json"),
    });
    assert.deepEqual(
      dataset.examples.map(({ name, label, split, group }) => [name, label, split, group]),
      [
        ["jpg/a b.jpg", "joy", "train", "ada"],
        ["jpg/corrupted.jpg", "dread", "test", "bob"],
      ],
    );
    assert.equal(dataset.name, "my");
    assert.deepEqual(Object.entries(plainTaxonomies(dataset)), [
      ["primary", { joy: "joy" }],
      ["polarity", { joy: "positive", dread: "negative" }],
    ]);
    // Whoever writes a layout has seen the data set: no note on that.
    assert.deepEqual(dataset.notes, [
      'In primary, pictures of "dread" have no counterpart and are left out.',
    ]);
    await assertReadable(dataset);
  });
});

Deno.test("readDataset() reads a known data set by a layout that says only what differs", async () => {
  const files = {
    "my.json": '{"labels": {"under": "FI/pictures"}, "maps": {"polarity": {"awe": null}}}',
    ...pictures(["data/FI/pictures/awe/1.jpg", "data/FI/pictures/fear/2.jpg"]),
  };
  await withFiles(files, async (folder) => {
    const layout = join(folder, "my.json");
    const dataset = await readDataset(`fi:${join(folder, "data")}`, { layout });
    assert.equal(dataset.name, "fi");
    assert.deepEqual(pairs(dataset), [
      ["FI/pictures/awe/1.jpg", "awe"],
      ["FI/pictures/fear/2.jpg", "fear"],
    ]);
    assert.deepEqual(plainTaxonomies(dataset).polarity, { fear: "negative" });
    assert.deepEqual(plainTaxonomies(dataset).mikels, { awe: "awe", fear: "fear" });
  });
});

Deno.test("readDataset() lets a layout give surprise a polarity, and read Emotion6 by its valence", async () => {
  const emotion6 = {
    ...pictures(["images/joy/1.jpg", "images/surprise/1.jpg", "images/fear/1.jpg"]),
    "surprise.json": '{"extends": "emotion6", "maps": {"polarity": {"surprise": "positive"}}}',
    "valence.json": JSON.stringify({
      labels: {
        kind: "tables",
        tables: [{ file: "ground_truth.txt" }],
        separator: "tab",
        hasHeader: true,
        columns: { picture: 1, valence: 2 },
        pictures: ["images/{path}"],
      },
      polarity: { threshold: 5, deadZone: 1 },
      taxonomy: "polarity",
    }),
    "ground_truth.txt": "[file]\t[valence]\njoy/1.jpg\t8.1\nsurprise/1.jpg\t5.5\nfear/1.jpg\t2\n",
  };
  await withFiles(emotion6, async (folder) => {
    const surprise = await readDataset(`emotion6:${folder}`, {
      layout: join(folder, "surprise.json"),
    });
    assert.equal(surprise.taxonomies.get("polarity")?.get("surprise"), "positive");
    const valence = await readDataset(`folder:${folder}`, { layout: join(folder, "valence.json") });
    assert.deepEqual(pairs(valence), [
      ["images/joy/1.jpg", "positive"],
      ["images/fear/1.jpg", "negative"],
    ]);
  });
});

Deno.test("readDataset() leaves contradictory pictures out where a layout says so", async () => {
  const files = {
    "my.json": '{"contradictions": "leave-out"}',
    "five_agree.txt": "a.jpg 1\nb.jpg 0\na.jpg 0\nc.jpg 1\na.jpg 1\n",
    ...pictures(["a.jpg", "b.jpg", "c.jpg"]),
  };
  await withFiles(files, async (folder) => {
    const dataset = await readDataset(`twitter1:${folder}`, { layout: join(folder, "my.json") });
    assert.deepEqual(pairs(dataset), [["b.jpg", "negative"], ["c.jpg", "positive"]]);
    assert.deepEqual(dataset.notes, [
      "Lines that list a picture again, which counts once: 1.",
      "Pictures left out because their lines contradict each other: 1.",
    ]);
  });
});

Deno.test("readDataset() refuses a layout for what is no folder", async () => {
  assert.equal(
    await problem(readDataset("csv:labels.csv", { layout: "my.json" })),
    "Cannot read the data set csv:labels.csv by the layout my.json: a layout describes a folder. " +
      "Write folder:DIR, or a known data set's name and folder",
  );
});

Deno.test("readDataset() says that a layout's column is not there, or a number is none", async () => {
  const layout = (columns: unknown, more = {}) =>
    JSON.stringify({ labels: { ...TABLES.labels, columns }, ...more });
  const files = {
    "column.json": layout({ picture: "file", label: "mood" }),
    "place.json": layout({ picture: 1, label: 3 }),
    "number.json": layout({ picture: "name", valence: "mood" }, { polarity: { threshold: 4 } }),
    "split.json": layout({ picture: "name", label: "mood", split: "mood" }),
    "all.tsv": "name\tmood\na.jpg\tjoy\n",
    "a.jpg": PICTURE,
  };
  await withFiles(files, async (folder) => {
    const said = (name: string) =>
      problem(readDataset(`folder:${folder}`, { layout: join(folder, name) }));
    assert.match(
      await said("column.json"),
      /all\.tsv: there is no column "file"\. Its header, line 1, has the columns "name", "mood"/,
    );
    assert.match(await said("place.json"), /all\.tsv: there is no column 3\. Its header, line 1/);
    assert.equal(
      await said("number.json"),
      'Cannot read ~/all.tsv: line 2 has "joy" where a number should be',
    );
    assert.match(await said("split.json"), /line 2 has the split "joy"\. Write one of train,/);
  });
});

Deno.test("readLayoutFile() names the field that is wrong", async () => {
  const cases: [unknown, string][] = [
    [[], "it is no JSON object. Write { fields }"],
    [
      { extends: "webemoo" },
      'extends: there is no layout "webemoo". There are webemo, emotionroi, emotion6, fi, ' +
      "twitter1-5, twitter1-4, twitter1-3, twitter2, oasis",
    ],
    [
      { labels: { kind: "folders", under: "../elsewhere" } },
      "labels.under: must be a relative path without .., or a list of them",
    ],
    [
      { extends: "webemo", labels: { columns: { label: "mood" } } },
      "labels.columns.label: must be a place, from 1: the tables have no header",
    ],
    [
      { extends: "fi", polarity: { threshold: 4 } },
      "polarity: goes with a column of numbers, which label folders have not",
    ],
    [
      { extends: "fi", maps: { polarity: { awe: "good" } } },
      'maps.polarity: "good" is no label of polarity. Its labels are negative, positive',
    ],
    [
      { extends: "fi", maps: { polarities: { awe: "good" } } },
      'maps.polarities: there is no taxonomy "polarities". There are polarity, primary, secondary, ' +
      "mikels, quadrant",
    ],
    [
      { ...TABLES, polarity: { threshold: 4 } },
      "polarity: goes with a column of numbers: labels.columns.valence",
    ],
  ];
  for (const [fields, why] of cases) {
    assert.equal(await layoutProblem(fields), `Cannot use the layout ~/my.json: ${why}`);
  }
  assert.match(await layoutProblem({}), /my\.json: labels: /);
  assert.match(await layoutProblem({ ...TABLES, label: [] }), /my\.json: .*"label"/);
  assert.match(
    await layoutProblem({ labels: { ...TABLES.labels, separator: ";" } }),
    /my\.json: labels\.separator: .*"comma"/,
  );
});

Deno.test("readLayoutFile() says that a file is missing or no JSON", async () => {
  await withFiles({ "my.json": "{labels" }, async (folder) => {
    assert.match(
      await problem(readLayoutFile(join(folder, "my.json"))),
      /^Cannot read the layout ~\/my\.json: .*JSON/,
    );
    assert.equal(
      await problem(readLayoutFile(join(folder, "your.json"))),
      "Cannot read the layout ~/your.json: there is no such file. Check the path after --layout",
    );
  });
});
