import assert from "node:assert/strict";
import { join } from "node:path";
import type { Dataset } from "../../../trainer/data/dataset.ts";
import {
  isKnownForm,
  readDataset,
  type ReadDatasetOptions,
} from "../../../trainer/data/read_dataset.ts";
import { TrainerError } from "../../../trainer/errors.ts";
import {
  assertReadable,
  CORRUPTED,
  pairs,
  PICTURE,
  pictures,
  problem,
  withFiles,
} from "./samples.ts";

/** Reads a table with this text, beside its folder. */
async function readCsv(
  text: string | Uint8Array,
  options: ReadDatasetOptions = {},
): Promise<{ dataset: Dataset; folder: string }> {
  const result: { dataset: Dataset; folder: string }[] = [];
  await withFiles({ "labels.csv": text }, async (folder) => {
    const dataset = await readDataset(`csv:${join(folder, "labels.csv")}`, options);
    result.push({ dataset, folder });
  });
  return result[0];
}

Deno.test("readDataset() reads a table in its order, paths relative to its folder", async () => {
  const files = { "data/b.jpg": PICTURE, "data/sub/corrupted.png": CORRUPTED, "c.webp": PICTURE };
  await withFiles(files, async (folder) => {
    const table = join(folder, "data", "labels.csv");
    const absolute = join(folder, "c.webp");
    await Deno.writeTextFile(
      table,
      `file,label\nb.jpg,joy\nsub/corrupted.png,fear\n${absolute},joy\nmissing.jpg,fear\n`,
    );
    const dataset = await readDataset(`csv:${table}`);
    assert.deepEqual(
      dataset.examples.map(({ read: _, ...said }) => said),
      [
        { name: "b.jpg", label: "joy", group: "b.jpg" },
        { name: "sub/corrupted.png", label: "fear", group: "sub/corrupted.png" },
        { name: absolute, label: "joy", group: absolute },
        { name: "missing.jpg", label: "fear", group: "missing.jpg" },
      ],
    );
    assert.deepEqual(dataset.labels, ["fear", "joy"]);
    assert.equal(dataset.name, "labels");
    assert.deepEqual([...dataset.taxonomies], []);
    assert.deepEqual(dataset.notes, []);
    await assertReadable({ examples: dataset.examples.slice(0, 3) });
    assert.equal(
      await problem(dataset.examples[3].read()),
      "Cannot read the picture ~/data/missing.jpg: there is no such file",
    );
  });
});

Deno.test("readDataset() takes the split of a table's pictures from its column split", async () => {
  const { dataset } = await readCsv(
    "file,label,split\na,joy,train\nb,fear,Val\nc,joy,test\nd,joy,\ne,fear,validation\n",
  );
  assert.deepEqual(
    dataset.examples.map(({ split }) => split),
    ["train", "validation", "test", undefined, "validation"],
  );
  assert.ok(!("split" in dataset.examples[3]));
  assert.equal(
    await problem(readCsv("file,label,split\na,joy,train\nb,fear,2\n")),
    'Cannot read ~/labels.csv: line 3 has the split "2". Write one of train, training, ' +
      "validation, valid, val, dev, test, testing, or leave it empty; a column with another " +
      "meaning needs another name than split",
  );
  assert.equal(
    await problem(readCsv("file,label,split\na,joy,train\na,joy,test\n")),
    'Cannot read ~/labels.csv: a has the split "train" on line 2 and "test" on line 3. ' +
      "Keep one of the two lines",
  );
});

Deno.test("readDataset() reads columns of other names where it is told them", async () => {
  const { dataset } = await readCsv("path,emotion\na.jpg,joy\nb.jpg,fear\n", {
    pictureColumn: "path",
    labelColumn: "emotion",
  });
  assert.deepEqual(pairs(dataset), [["a.jpg", "joy"], ["b.jpg", "fear"]]);
});

Deno.test("readDataset() says what labels are called in the taxonomy that it is told", async () => {
  const text = "file,label\na,Joy\nb,love\nc,boredom\n";
  const { dataset } = await readCsv(text, { taxonomy: "primary" });
  assert.deepEqual([...dataset.taxonomies], [
    ["primary", new Map([["Joy", "joy"], ["love", "love"]])],
    ["polarity", new Map([["Joy", "positive"], ["love", "positive"]])],
  ]);
  assert.deepEqual(dataset.notes, [
    'In primary, pictures of "boredom" have no counterpart and are left out.',
    'In polarity, pictures of "boredom" have no counterpart and are left out.',
  ]);
  const own = await readCsv(text, { taxonomy: "moods" });
  assert.deepEqual([...own.dataset.taxonomies.keys()], ["moods"]);
  assert.equal(
    await problem(readCsv(text, { taxonomy: "polarity" })),
    'Cannot read the data set csv:~/labels.csv as polarity: none of its labels ("Joy", "boredom", ' +
      '"love") is one of "negative", "positive". Rename its labels, or name another taxonomy',
  );
});

Deno.test("readDataset() takes sub-folders named as splits for splits", async () => {
  const names = ["train/joy/a.jpg", "val/fear/b.jpg", "test/joy/deep/c.jpg", "test/fear/d.jpg"];
  await withFiles(pictures(names), async (folder) => {
    const { examples, labels } = await readDataset(`folder:${folder}`);
    assert.deepEqual(labels, ["fear", "joy"]);
    assert.deepEqual(examples.map(({ name, split }) => [name, split]), [
      ["test/fear/d.jpg", "test"],
      ["val/fear/b.jpg", "validation"],
      ["test/joy/deep/c.jpg", "test"],
      ["train/joy/a.jpg", "train"],
    ]);
  });
});

Deno.test("readDataset() takes sub-folders for labels where one is not named as a split", async () => {
  await withFiles(pictures(["train/joy/a.jpg", "plane/b.jpg"]), async (folder) => {
    assert.deepEqual((await readDataset(`folder:${folder}`)).labels, ["plane", "train"]);
  });
  // Nothing below them is a folder, so they cannot be splits.
  await withFiles(pictures(["train/a.jpg", "test/b.jpg"]), async (folder) => {
    assert.deepEqual((await readDataset(`folder:${folder}`)).labels, ["test", "train"]);
  });
});

Deno.test("readDataset() finds the columns of a table by name, among others", async () => {
  const { dataset } = await readCsv("id,label,theme,file\n1,joy,dog,a.jpg\n2,fear,snake,b.jpg\n");
  assert.deepEqual(pairs(dataset), [["a.jpg", "joy"], ["b.jpg", "fear"]]);
});

Deno.test("readDataset() groups a table by a column", async () => {
  const { dataset, folder } = await readCsv(
    "file,label,theme\na.jpg,joy,dog\nb.jpg,fear,dog\n",
    { groupBy: "theme" },
  );
  assert.deepEqual(dataset.examples.map(({ group }) => group), ["dog", "dog"]);
  assert.equal(
    dataset.description,
    `csv:${join(folder, "labels.csv")}: 2 pictures, 2 labels, grouped by theme`,
  );
});

Deno.test("readDataset() takes a table with a BOM, CRLF, blank lines and blanks", async () => {
  const { dataset } = await readCsv(
    '\uFEFFfile, label\r\na.jpg,joy\r\n\r\n  \r\n,\r\n b.jpg , fear \r\n"c.jpg"," joy"',
  );
  assert.deepEqual(pairs(dataset), [["a.jpg", "joy"], ["b.jpg", "fear"], ["c.jpg", "joy"]]);
});

Deno.test("readDataset() takes quoted values with commas and quotation marks", async () => {
  const { dataset } = await readCsv('file,label\n"a, b.jpg",joy\n"say ""hi"".jpg",fear\n');
  assert.deepEqual(pairs(dataset), [["a, b.jpg", "joy"], ['say "hi".jpg', "fear"]]);
});

Deno.test("readDataset() counts a picture once that a table lists twice", async () => {
  const { dataset } = await readCsv("file,label\na.jpg,joy\nb.jpg,fear\n./a.jpg,joy\n");
  assert.deepEqual(pairs(dataset), [["a.jpg", "joy"], ["b.jpg", "fear"]]);
});

Deno.test("readDataset() sorts labels by code unit", async () => {
  const { dataset } = await readCsv("file,label\na,b\nb,é\nc,B\nd,a\n");
  assert.deepEqual(dataset.labels, ["B", "a", "b", "é"]);
});

Deno.test("readDataset() reads a folder by label and then name, at any depth", async () => {
  const files = {
    "joy/z.JPG": "",
    "joy/B/a.jpeg": "",
    "joy/b.webp": "",
    "joy-2/a.jpg": "",
    "fear/x.PNG": "",
    "fear/deep/er/y.png": "",
  };
  await withFiles(files, async (folder) => {
    const dataset = await readDataset(`folder:${folder}`);
    assert.deepEqual(pairs(dataset), [
      ["fear/deep/er/y.png", "fear"],
      ["fear/x.PNG", "fear"],
      ["joy/B/a.jpeg", "joy"],
      ["joy/b.webp", "joy"],
      ["joy/z.JPG", "joy"],
      ["joy-2/a.jpg", "joy-2"],
    ]);
    const { read: _, ...first } = dataset.examples[0];
    assert.deepEqual(first, {
      name: "fear/deep/er/y.png",
      label: "fear",
      group: "fear/deep/er/y.png",
    });
    assert.deepEqual(dataset.labels, ["fear", "joy", "joy-2"]);
    assert.equal(dataset.description, `folder:${folder}: 6 pictures, 3 labels`);
  });
});

Deno.test("readDataset() skips what is hidden, no picture or outside of a sub-folder", async () => {
  const files = {
    "joy/a.jpg": "",
    "joy/.hidden.jpg": "",
    "joy/.thumbnails/a.jpg": "",
    "joy/notes.txt": "",
    "joy/jpg": "",
    "fear/b.jpg": "",
    "empty/readme.md": "",
    ".git/c.jpg": "",
    "loose.jpg": "",
  };
  await withFiles(files, async (folder) => {
    const dataset = await readDataset(`folder:${folder}/`);
    assert.deepEqual(pairs(dataset), [["fear/b.jpg", "fear"], ["joy/a.jpg", "joy"]]);
    assert.deepEqual(dataset.labels, ["fear", "joy"]);
  });
});

Deno.test({
  name: "readDataset() follows links in a folder, but not in circles",
  // Making links takes a privilege there.
  ignore: Deno.build.os === "windows",
  async fn() {
    await withFiles({ "data/joy/a.jpg": "", "store/b.jpg": "" }, async (folder) => {
      const data = join(folder, "data");
      await Deno.symlink("../../store/b.jpg", join(data, "joy", "linked.jpg"));
      await Deno.symlink("../store", join(data, "fear"));
      await Deno.symlink("..", join(data, "joy", "up"));
      await Deno.symlink("nowhere.jpg", join(data, "joy", "broken.jpg"));
      assert.deepEqual(pairs(await readDataset(`folder:${join(data)}`)), [
        ["fear/b.jpg", "fear"],
        ["joy/a.jpg", "joy"],
        ["joy/broken.jpg", "joy"],
        ["joy/linked.jpg", "joy"],
      ]);
    });
  },
});

Deno.test("readDataset() says which forms there are when it does not know one", async () => {
  const forms = "write csv:FILE for a table with the columns file and label, " +
    "folder:DIR for a folder with one sub-folder per label, " +
    "parquet:FILES for a data set of the hub, tar:FILES for WebDataset shards, " +
    "or a known data set's name and folder: emotion6:DIR, emotionroi:DIR, fi:DIR, oasis:DIR, " +
    "twitter1:DIR, twitter1-3:DIR, twitter1-4:DIR, twitter1-5:DIR, twitter2:DIR, webemo:DIR";
  for (const spec of ["labels.csv", "CSV:labels.csv", "C:\\labels.csv", ""]) {
    assert.equal(
      await problem(readDataset(spec)),
      `Cannot read the data set ${spec}: it starts with no form that is known. Instead, ${forms}`,
    );
  }
  assert.equal(
    await problem(readDataset("csv:")),
    `Cannot read the data set csv:: it names no path. Instead, ${forms}`,
  );
});

Deno.test("readDataset() says that a file or folder is missing, or is the other", async () => {
  await withFiles({ "labels.csv": "file,label\n" }, async (folder) => {
    const table = join(folder, "labels.csv");
    assert.equal(
      await problem(readDataset(`csv:${join(folder, "label.csv")}`)),
      "Cannot read ~/label.csv: there is no such file. Check the path after csv:",
    );
    assert.equal(
      await problem(readDataset(`folder:${join(folder, "photos")}`)),
      "Cannot read ~/photos: there is no such folder. Check the path after folder:",
    );
    assert.equal(
      await problem(readDataset(`csv:${folder}`)),
      "Cannot read ~/: it is a folder. Name a file in it, or write folder:~/",
    );
    assert.equal(
      await problem(readDataset(`folder:${table}`)),
      "Cannot read ~/labels.csv: it is a file. Name a folder, or write csv:~/labels.csv",
    );
  });
});

Deno.test("readDataset() lists the columns that are there when one is missing", async () => {
  assert.equal(
    await problem(readCsv("\npath,label\na.jpg,joy\n")),
    'Cannot read ~/labels.csv: there is no column "file". Its header, line 2, has the columns ' +
      '"path", "label". Rename or add one; columns are separated by commas',
  );
  assert.equal(
    await problem(readCsv("file;label\na.jpg;joy\n")),
    'Cannot read ~/labels.csv: there is no column "file". Its header, line 1, has the columns ' +
      '"file;label". Rename or add one; columns are separated by commas',
  );
  assert.match(
    await problem(readCsv("file,label\na.jpg,joy\n", { groupBy: "theme" })),
    /there is no column "theme".* "file", "label"/,
  );
});

Deno.test("readDataset() refuses a table with two columns of one name", async () => {
  assert.match(
    await problem(readCsv("file,label,label\na.jpg,joy,fear\n")),
    /two columns are called "label"/,
  );
});

Deno.test("readDataset() names the line that has no file, label or group", async () => {
  assert.equal(
    await problem(readCsv('file,label\n"a.jpg",joy\n\nb.jpg," "\n')),
    'Cannot read ~/labels.csv: line 4 has no value in the column "label". ' +
      "Fill it in, or remove the line",
  );
  assert.match(await problem(readCsv("file,label\na.jpg,joy\n,fear\n")), /line 3 .*"file"/);
  assert.match(
    await problem(readCsv("file,label,theme\na.jpg,joy,\n", { groupBy: "theme" })),
    /line 2 .*"theme"/,
  );
});

Deno.test("readDataset() says that a table is empty or has no rows", async () => {
  assert.equal(
    await problem(readCsv("\n\n")),
    "Cannot read ~/labels.csv: it is empty. Start it with the line: file,label",
  );
  assert.equal(
    await problem(readCsv("file,label\n")),
    "Cannot read ~/labels.csv: it has a header and no rows. Add a row for each picture",
  );
});

Deno.test("readDataset() names both lines of a picture with two labels", async () => {
  assert.equal(
    await problem(readCsv("file,label\na.jpg,joy\nb.jpg,joy\n./a.jpg,fear\n")),
    'Cannot read ~/labels.csv: ./a.jpg has the label "joy" on line 2 and "fear" on line 4. ' +
      "Keep one of the two lines",
  );
});

Deno.test("readDataset() names both lines of a picture in two groups", async () => {
  assert.equal(
    await problem(
      readCsv("file,label,theme\na.jpg,joy,dog\na.jpg,joy,cat\n", { groupBy: "theme" }),
    ),
    'Cannot read ~/labels.csv: a.jpg has the theme "dog" on line 2 and "cat" on line 3. ' +
      "Keep one of the two lines",
  );
});

Deno.test("readDataset() names the line of a malformed table", async () => {
  assert.equal(
    await problem(readCsv("file,label\na.jpg,joy\nb.jpg,fear,3\n")),
    "Cannot read ~/labels.csv: on line 3 there should be 2 values, as in the header, " +
      "but there are 3. " +
      "Put quotation marks around a value that contains a comma",
  );
  assert.match(
    await problem(readCsv("file,label\na.jpg\n")),
    /on line 2 .* but there are 1\. Fill in the missing/,
  );
  assert.equal(
    await problem(readCsv('file,label\na.jpg,joy\n"b.jpg,fear\nc.jpg,joy\n')),
    "Cannot read ~/labels.csv: a quotation mark that opens after line 2 is never closed. " +
      "Close or remove it",
  );
  for (const line of ['b.jpg,"fear"s', 'b "1".jpg,fear']) {
    assert.equal(
      await problem(readCsv(`file,label\na.jpg,joy\n${line}\n`)),
      "Cannot read ~/labels.csv: line 3 has a quotation mark inside a value. " +
        "Put quotation marks around the whole value, and double those inside it",
    );
  }
});

Deno.test("readDataset() refuses a table that is not UTF-8", async () => {
  // "año" in Latin-1.
  const latin1 = Uint8Array.of(...new TextEncoder().encode("file,label\na.jpg,a"), 0xF1, 0x6F);
  assert.equal(
    await problem(readCsv(latin1)),
    "Cannot read ~/labels.csv: it is not UTF-8 text. Save it as CSV in UTF-8",
  );
});

Deno.test("readDataset() refuses a data set with one label", async () => {
  assert.equal(
    await problem(readCsv("file,label\na.jpg,joy\nb.jpg,joy\n")),
    "Cannot learn from the data set csv:~/labels.csv: all of its pictures have the label " +
      '"joy". Add pictures with at least one other label',
  );
});

Deno.test("readDataset() says that a folder has no pictures", async () => {
  await withFiles({ "loose.jpg": "", "joy/notes.txt": "" }, async (folder) => {
    assert.equal(
      await problem(readDataset(`folder:${folder}`)),
      "Cannot read ~/: none of its sub-folders has pictures. Make one sub-folder per label and " +
        "put its pictures (.jpg, .jpeg, .png, .webp) there",
    );
  });
});

Deno.test("readDataset() refuses to group a folder by a column", async () => {
  assert.equal(
    await problem(readDataset("folder:photos", { groupBy: "theme" })),
    'Cannot group the data set folder:photos by "theme": a folder has no columns. ' +
      'Use csv:FILE with a column "theme", or leave the grouping out',
  );
});

Deno.test("readDataset() refuses columns for forms that have none", async () => {
  assert.equal(
    await problem(readDataset("folder:photos", { labelColumn: "mood" })),
    "Cannot read the data set folder:photos with --label-column: it is for csv:, parquet:, tar:. " +
      "Leave it out",
  );
  assert.match(await problem(readDataset("tar:a.tar", { pictureColumn: "a" })), /--picture-column/);
});

Deno.test("isKnownForm() tells data sets that say what their labels are of from those that do not", () => {
  const specs = ["webemo:a", "twitter1:a", "twitter1-3:a", "folder:webemo", "csv:a", "webemo.csv"];
  assert.deepEqual(specs.map(isKnownForm), [true, true, true, false, false, false]);
});

Deno.test("TrainerError tells itself apart by name", () => {
  assert.equal(new TrainerError("Cannot").name, "TrainerError");
});
