import assert from "node:assert/strict";
import { dirname, join, resolve } from "node:path";
import { type Dataset, readDataset } from "../../trainer/dataset.ts";
import { TrainerError } from "../../trainer/errors.ts";

/** Runs `body` in a folder with these files, and removes it. */
async function withFiles(
  files: Record<string, string | Uint8Array>,
  body: (folder: string) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "dataset-" });
  try {
    for (const [name, contents] of Object.entries(files)) {
      const path = join(folder, name);
      await Deno.mkdir(dirname(path), { recursive: true });
      await Deno.writeFile(
        path,
        typeof contents === "string" ? new TextEncoder().encode(contents) : contents,
      );
    }
    await body(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Reads a table with this text, beside its folder. */
async function readCsv(
  text: string | Uint8Array,
  groupBy?: string,
): Promise<{ dataset: Dataset; folder: string }> {
  const result: { dataset: Dataset; folder: string }[] = [];
  await withFiles({ "labels.csv": text }, async (folder) => {
    const options = groupBy === undefined ? {} : { groupBy };
    const dataset = await readDataset(`csv:${join(folder, "labels.csv")}`, options);
    result.push({ dataset, folder });
  });
  return result[0];
}

/**
 * What goes wrong with `work`: a TrainerError whose message this is, with temporary folders left
 * out.
 */
async function problem(work: Promise<unknown>): Promise<string> {
  try {
    await work;
  } catch (error) {
    assert(error instanceof TrainerError, `not a TrainerError: ${error}`);
    return error.message.replaceAll(/\S*\/dataset-[^/\s:]+\/?/g, (path) => {
      const [prefix] = /^(csv:|folder:)?/.exec(path) ?? [""];
      return `${prefix}~/`;
    });
  }
  throw new assert.AssertionError({ message: "it went well" });
}

/** Labels by name, in order. */
function pairs(dataset: Dataset): string[][] {
  return dataset.examples.map(({ name, label }) => [name, label]);
}

Deno.test("readDataset() reads a table in its order, paths relative to its folder", async () => {
  const { dataset, folder } = await readCsv(
    "file,label\nb.jpg,joy\nsub/a.png,fear\n/pictures/c.webp,joy\n",
  );
  assert.deepEqual(dataset.examples, [
    { file: join(folder, "b.jpg"), name: "b.jpg", label: "joy", group: "b.jpg" },
    { file: join(folder, "sub", "a.png"), name: "sub/a.png", label: "fear", group: "sub/a.png" },
    {
      file: resolve("/pictures/c.webp"),
      name: "/pictures/c.webp",
      label: "joy",
      group: "/pictures/c.webp",
    },
  ]);
  assert.deepEqual(dataset.labels, ["fear", "joy"]);
});

Deno.test("readDataset() finds the columns of a table by name, among others", async () => {
  const { dataset } = await readCsv("id,label,theme,file\n1,joy,dog,a.jpg\n2,fear,snake,b.jpg\n");
  assert.deepEqual(pairs(dataset), [["a.jpg", "joy"], ["b.jpg", "fear"]]);
});

Deno.test("readDataset() groups a table by a column", async () => {
  const { dataset, folder } = await readCsv(
    "file,label,theme\na.jpg,joy,dog\nb.jpg,fear,dog\n",
    "theme",
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
    assert.deepEqual(dataset.examples[0], {
      file: join(folder, "fear", "deep", "er", "y.png"),
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
    "or folder:DIR for a folder with one sub-folder per label";
  for (const spec of ["labels.csv", "CSV:labels.csv", "C:\\labels.csv", ""]) {
    assert.equal(
      await problem(readDataset(spec)),
      `Cannot read the data set ${spec}: it starts with neither csv: nor folder:. ` +
        `Instead, ${forms}`,
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
    await problem(readCsv("file,label\na.jpg,joy\n", "theme")),
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
    await problem(readCsv("file,label,theme\na.jpg,joy,\n", "theme")),
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
    await problem(readCsv("file,label,theme\na.jpg,joy,dog\na.jpg,joy,cat\n", "theme")),
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

Deno.test("TrainerError tells itself apart by name", () => {
  assert.equal(new TrainerError("Cannot").name, "TrainerError");
});
