import assert from "node:assert/strict";
import { join } from "node:path";
import { findTaxonomy } from "@clip-e/shared";
import { KNOWN_LAYOUTS } from "../../../trainer/data/known_layouts.ts";
import { knownLayout } from "../../../trainer/data/layout_file.ts";
import { readDataset } from "../../../trainer/data/read_dataset.ts";
import {
  assertReadable,
  CORRUPTED,
  type Files,
  pairs,
  PICTURE,
  pictures,
  plainTaxonomies,
  problem,
  withFiles,
} from "./samples.ts";

const CATEGORIES = `# Three levels
labels=[('affection', 'love', '+'),
\t('cheerfullness', 'joy', '+'), ('confusion', 'confusion', '-'),
\t('irritabilty', 'anger', '-'), ('surprise', 'surprise', '+')]`;

const address = (name: string, index: number) =>
  `https://example.org/jpg/00/42/${name}?x=1 ${index}`;

const WEBEMO: Files = {
  "category.txt": CATEGORIES,
  "train25.txt": [address("a.jpg", 0), address("b.jpg", 1), address("corrupted.jpg", 2)].join("\n"),
  "test25.txt": `${address("c.jpg", 11)}\r\n${address("d.jpg", 22)}\r\n`,
};

const WEBEMO_PAIRS = [
  ["train/0/a.jpg", "affection"],
  ["train/1/b.jpg", "cheerfullness"],
  ["train/2/corrupted.jpg", "confusion"],
  ["test/11/c.jpg", "irritabilty"],
  ["test/22/d.jpg", "surprise"],
];

const WEBEMO_PICTURES = Object.fromEntries(
  WEBEMO_PAIRS.map(([name]) => [name, name.includes("corrupted") ? CORRUPTED : PICTURE]),
);

Deno.test("readDataset() reads WEBEmo: addresses in lists, pictures where they were downloaded", async () => {
  await withFiles({ ...WEBEMO, ...WEBEMO_PICTURES }, async (folder) => {
    const dataset = await readDataset(`webemo:${folder}`);
    assert.equal(dataset.name, "webemo");
    assert.equal(dataset.description, `webemo:${folder}: 5 pictures, 5 labels`);
    assert.deepEqual(pairs(dataset), WEBEMO_PAIRS);
    assert.deepEqual(
      dataset.examples.map(({ split }) => split),
      ["train", "train", "train", "test", "test"],
    );
    await assertReadable(dataset);
    assert.deepEqual(Object.entries(plainTaxonomies(dataset)), [
      ["secondary", {
        affection: "affection",
        cheerfullness: "cheerfulness",
        confusion: "confusion",
        irritabilty: "irritability",
        surprise: "surprise",
      }],
      ["primary", {
        affection: "love",
        cheerfullness: "joy",
        irritabilty: "anger",
        surprise: "surprise",
      }],
      ["polarity", {
        affection: "positive",
        cheerfullness: "positive",
        confusion: "negative",
        irritabilty: "negative",
        surprise: "positive",
      }],
    ]);
    assert.deepEqual(dataset.notes, [
      "How WEBEmo (2018) lies on disk is taken from public descriptions (Panda et al., " +
      "Contemplating Visual Emotions, ECCV 2018, arXiv 1808.02212) and was never seen: where it " +
      "lies otherwise, describe it with --layout FILE.",
      'In primary, pictures of "confusion" have no counterpart and are left out.',
    ]);
  });
});

Deno.test("readDataset() finds WEBEmo's pictures in other places, though most are missing", async () => {
  const lines = Array.from({ length: 300 }, (_, i) => address(`${i}.jpg`, i % 25)).join("\n");
  const files = {
    "train25.txt": lines,
    "test25.txt": address("x.jpg", 3),
    "images/7.jpg": PICTURE,
  };
  await withFiles(files, async (folder) => {
    const { examples } = await readDataset(`webemo:${folder}`);
    assert.equal(examples.length, 301);
    assert.equal(examples[7].name, "images/7.jpg");
    assert.deepEqual(await examples[7].read(), PICTURE);
    assert.equal(
      await problem(examples[8].read()),
      "Cannot read the picture ~/images/8.jpg: there is no such file",
    );
  });
});

Deno.test("readDataset() learns WEBEmo's primary emotions and polarity from pictures listed in all its lists", async () => {
  const six = [address("a.jpg", 3), address("b.jpg", 2), address("corrupted.jpg", 1)].join("\n");
  const more = {
    ...WEBEMO,
    "train25.txt": `${WEBEMO["train25.txt"]}\n${address("e.jpg", 0)}\n${address("f.jpg", 0)}`,
    "train6.txt": `${six}\n${address("e.jpg", 2)}\n${address("f.jpg", 3)}\n${
      address("gone.jpg", 5)
    }`,
    "test6.txt": `${address("c.jpg", 0)}\n${address("d.jpg", 5)}`,
    "train2.txt": `${address("b.jpg", 1)}\n${address("f.jpg", 1)}`,
  };
  await withFiles({ ...more, ...WEBEMO_PICTURES }, async (folder) => {
    const dataset = await readDataset(`webemo:${folder}`);
    const { primary, polarity } = plainTaxonomies(dataset);
    assert.deepEqual(primary, {
      affection: "love",
      cheerfullness: "joy",
      confusion: "fear",
      irritabilty: "anger",
      surprise: "surprise",
    });
    // Where the lists say nothing, category.txt does.
    assert.equal(polarity.irritabilty, "negative");
    assert.deepEqual(dataset.notes.slice(1), [
      "Listed pictures that are missing, of a sample of 7: 2.",
      "Which label of primary each label belongs to was learned from pictures that are listed under " +
      "both: 7, of which disagree with the majority: 1.",
      "That differs from category.txt: by the pictures, confusion is fear.",
      "Which label of polarity each label belongs to was learned from pictures that are listed under " +
      "both: 2, of which disagree with the majority: 0.",
    ]);
  });
});

Deno.test("readDataset() goes by what was published where WEBEmo's category.txt is missing", async () => {
  const { "category.txt": _, ...lists } = WEBEMO;
  await withFiles({ ...lists, ...WEBEMO_PICTURES }, async (folder) => {
    const { primary, polarity } = plainTaxonomies(await readDataset(`webemo:${folder}`));
    assert.equal(primary.irritabilty, "anger");
    assert.equal(primary.confusion, undefined);
    assert.equal(polarity.confusion, "negative");
  });
});

const EKMAN = ["anger", "disgust", "fear", "joy", "sadness", "surprise"];
const EKMAN_POLARITY = {
  polarity: {
    anger: "negative",
    disgust: "negative",
    fear: "negative",
    joy: "positive",
    sadness: "negative",
  },
};
const NO_SURPRISE = 'In polarity, pictures of "surprise" have no counterpart and are left out.';

Deno.test("readDataset() reads EmotionROI by its lists; surprise has no polarity", async () => {
  const files = {
    ...pictures(EKMAN.map((label) => `images/${label}/1 a.jpg`)),
    "images/joy/corrupted.jpg": CORRUPTED,
    "images/joy/unlisted.jpg": PICTURE,
    "training_testing_split/training.txt": EKMAN.map((label) => `${label}/1 a.jpg`).join("\n"),
    "training_testing_split/testing.txt": "joy/corrupted.jpg\n",
  };
  await withFiles(files, async (folder) => {
    const dataset = await readDataset(`emotionroi:${folder}`);
    assert.deepEqual(dataset.labels, EKMAN);
    assert.deepEqual(
      dataset.examples.slice(5).map(({ name, label, split }) => [name, label, split]),
      [
        ["images/surprise/1 a.jpg", "surprise", "train"],
        ["images/joy/corrupted.jpg", "joy", "test"],
      ],
    );
    assert.deepEqual(plainTaxonomies(dataset), EKMAN_POLARITY);
    assert.equal(dataset.notes[1], NO_SURPRISE);
    await assertReadable(dataset);
  });
});

Deno.test("readDataset() reads Emotion6 by its folders; surprise has no polarity", async () => {
  const files = {
    ...pictures(EKMAN.map((label) => `images/${label}/1.jpg`)),
    "images/joy/corrupted.jpg": CORRUPTED,
    "ground_truth.txt": "[image_filename]\t[valence]\n",
  };
  await withFiles(files, async (folder) => {
    const dataset = await readDataset(`emotion6:${folder}`);
    assert.deepEqual(pairs(dataset).slice(3, 5), [
      ["images/joy/1.jpg", "joy"],
      ["images/joy/corrupted.jpg", "joy"],
    ]);
    assert.deepEqual(plainTaxonomies(dataset), EKMAN_POLARITY);
    await assertReadable(dataset);
  });
});

Deno.test("readDataset() reads FI by its folders, and says which it left out or missed", async () => {
  const files = {
    ...pictures(["amusement", "anger", "awe", "contentment", "disgust", "excitement", "fear"]
      .map((label) => `emotion_dataset/${label}/1.jpg`)),
    "emotion_dataset/awe/corrupted.jpg": CORRUPTED,
    "emotion_dataset/Dataset/2.jpg": PICTURE,
  };
  await withFiles(files, async (folder) => {
    const dataset = await readDataset(`fi:${folder}`);
    assert.equal(dataset.examples.length, 8);
    assert.deepEqual(dataset.notes.slice(1), [
      'There are no pictures of "sadness".',
      "Folders left out because they are no label: 1.",
    ]);
    assert.deepEqual(plainTaxonomies(dataset).polarity, {
      amusement: "positive",
      anger: "negative",
      awe: "positive",
      contentment: "positive",
      disgust: "negative",
      excitement: "positive",
      fear: "negative",
    });
    assert.deepEqual([...dataset.taxonomies.keys()], ["mikels", "polarity"]);
    await assertReadable(dataset);
    // The folder itself may be named, too.
    assert.equal((await readDataset(`fi:${join(folder, "emotion_dataset")}`)).examples.length, 8);
  });
});

Deno.test("readDataset() reads Twitter I by how many people agree, five where nothing is said", async () => {
  const files = {
    ...pictures(["Agg_AMT_Candidates/a.jpg", "Agg_AMT_Candidates/b.jpg"]),
    "Agg_AMT_Candidates/corrupted.jpg": CORRUPTED,
    "twitter_five_agrees.txt": "a.jpg 1\nb.jpg 0\n",
    "ground_truth/twitter_four_agrees.txt": "a.jpg 1\nb.jpg 0\ncorrupted.jpg 1\n",
    "three_agree.txt": "a.jpg 1\nb.jpg 0\ncorrupted.jpg 1\ngone.jpg 0\n",
  };
  await withFiles(files, async (folder) => {
    const five = await readDataset(`twitter1:${folder}`);
    assert.equal(five.name, "twitter1-5");
    assert.deepEqual(pairs(five), [
      ["Agg_AMT_Candidates/a.jpg", "positive"],
      ["Agg_AMT_Candidates/b.jpg", "negative"],
    ]);
    const four = await readDataset(`twitter1:${folder}`, { agree: 4 });
    assert.equal(four.examples.length, 3);
    await assertReadable(four);
    const three = await readDataset(`twitter1-3:${folder}`);
    assert.equal(three.examples.length, 4);
    assert.deepEqual(plainTaxonomies(three), {
      polarity: { negative: "negative", positive: "positive" },
    });
    assert.equal(
      await problem(readDataset(`twitter1:${folder}`, { agree: 2 })),
      "Cannot read Twitter I where 2 of five people agree: there are lists for 3, 4 and 5. Write one " +
        "of them after --agree",
    );
  });
});

Deno.test("readDataset() reads Twitter II by its folders", async () => {
  const files = {
    ...pictures(["Positive/1.jpg", "Negative/2.jpg"]),
    "Negative/corrupted.jpg": CORRUPTED,
  };
  await withFiles(files, async (folder) => {
    // What is said of other data sets changes nothing, so that several can be read alike.
    const dataset = await readDataset(`twitter2:${folder}`, { agree: 3, deadZone: 1 });
    assert.deepEqual(dataset.labels, ["negative", "positive"]);
    assert.deepEqual(dataset.taxonomies.get("polarity")?.get("positive"), "positive");
    await assertReadable(dataset);
  });
});

const RATINGS = `file,theme,category,valence_mean
dog-1.jpg,dog,animal,5.9
dog-2.jpg,dog,animal,4.1
snake-1.jpg,snake,animal,4
corrupted.jpg,war,scene,1.2
`;

Deno.test("readDataset() makes polarity of OASIS's ratings, grouped by theme, with a dead zone or none", async () => {
  const files = {
    "ratings.csv": RATINGS,
    ...pictures(["images/dog-1.jpg", "images/dog-2.jpg", "images/snake-1.jpg"]),
    "images/corrupted.jpg": CORRUPTED,
  };
  await withFiles(files, async (folder) => {
    const dataset = await readDataset(`oasis:${folder}`);
    assert.deepEqual(dataset.examples.map(({ name, label, group }) => [name, label, group]), [
      ["images/dog-1.jpg", "positive", "dog"],
      ["images/dog-2.jpg", "positive", "dog"],
      ["images/snake-1.jpg", "negative", "snake"],
      ["images/corrupted.jpg", "negative", "war"],
    ]);
    assert.match(dataset.description, /: 4 pictures, 2 labels, grouped by theme$/);
    assert.deepEqual(dataset.notes, []);
    await assertReadable(dataset);
    const clear = await readDataset(`oasis:${folder}`, { deadZone: 0.5, groupBy: "category" });
    assert.deepEqual(clear.examples.map(({ group }) => group), ["animal", "scene"]);
    assert.deepEqual(clear.notes, [
      "Pictures left out because their rating is in the dead zone: 2.",
    ]);
    assert.match(
      await problem(readDataset(`oasis:${folder}`, { deadZone: 3 })),
      /every rating is in the dead zone\. Make the dead zone smaller$/,
    );
  });
});

const OASIS = new URL("../../../../shared/data/oasis", import.meta.url).pathname;
const isThere = await Deno.stat(OASIS).then(() => true, () => false);

Deno.test({
  name: "readDataset() reads OASIS itself" +
    (isThere ? "" : " (left out: its photographs are not beside the checkout)"),
  ignore: !isThere,
  async fn() {
    const { examples } = await readDataset(`oasis:${OASIS}`);
    const positive = examples.filter(({ label }) => label === "positive").length;
    assert.deepEqual([examples.length, positive], [706, 465]);
    assert.equal((await readDataset(`oasis:${OASIS}`, { deadZone: 0.5 })).examples.length, 536);
    for (const { read } of examples.slice(0, 5)) {
      assert.deepEqual((await read()).slice(0, 2), Uint8Array.of(0xFF, 0xD8));
    }
  },
});

Deno.test("readDataset() says what a known data set should look like, and what is there instead", async () => {
  const files = { ...pictures(["happy/a.jpg", "sad/b.jpg"]), "labels.csv": "" };
  await withFiles(files, async (folder) => {
    const mend =
      "but happy/, labels.csv, sad/. Check the path, or describe how it lies with --layout FILE";
    assert.equal(
      await problem(readDataset(`webemo:${folder}`)),
      `Cannot read ~/: it does not look like WEBEmo (2018): there is no train25.txt, ${mend}`,
    );
    assert.equal(
      await problem(readDataset(`twitter2:${folder}`)),
      "Cannot read ~/: it does not look like Twitter II (2013): there are no sub-folders " +
        `"negative", "positive" with pictures in images/ or itself, ${mend}`,
    );
    assert.equal(
      await problem(readDataset(`oasis:${join(folder, "labels.csv")}`)),
      "Cannot read ~/labels.csv: it is a file. Name the folder of OASIS (2017)",
    );
    assert.equal(
      await problem(readDataset(`oasis:${join(folder, "OASIS")}`)),
      "Cannot read ~/OASIS: there is no such folder. Check the path",
    );
    assert.equal(
      await problem(readDataset(`fi:${folder}`, { groupBy: "theme" })),
      'Cannot read ~/: it cannot be grouped by "theme": FI, Flickr and Instagram (2016) has no ' +
        "columns. Leave the grouping out",
    );
  });
});

Deno.test("readDataset() says where it looked for pictures that a known data set lists", async () => {
  await withFiles({ "five_agree.txt": "a.jpg 1\nb.jpg 0\n", "b.txt": "" }, async (folder) => {
    assert.equal(
      await problem(readDataset(`twitter1:${folder}`)),
      "Cannot read ~/: it does not look like Twitter I, 5 of five agreed (2015): none of the pictures " +
        'is there that its tables list, such as "Agg_AMT_Candidates/a.jpg", "images/a.jpg", "a.jpg", ' +
        "but b.txt, five_agree.txt. Put them there, or describe where they lie with --layout FILE",
    );
  });
});

Deno.test("readDataset() names the line of a known data set's list that cannot be understood", async () => {
  const said = async (list: string): Promise<string> => {
    const said: string[] = [];
    await withFiles({ "five_agree.txt": list, "a.jpg": PICTURE }, async (folder) => {
      said.push(await problem(readDataset(`twitter1:${folder}`)));
    });
    return said[0];
  };
  assert.equal(
    await said("a.jpg 1\n\nb.jpg 2\n"),
    'Cannot read ~/five_agree.txt: line 3 has the label "2", which is neither an index from 0 to 1 ' +
      'nor one of "negative", "positive". Mend the line, or name the labels in a layout with --layout FILE',
  );
  assert.equal(
    await said("a.jpg 1\nb.jpg\n"),
    'Cannot read ~/five_agree.txt: line 2 has no label. There should be one in column 2: "b.jpg"',
  );
  assert.equal(await said("\n"), "Cannot read ~/five_agree.txt: it lists no picture");
  assert.equal(
    await said("a.jpg 1\nb.jpg 0\n./a.jpg 0\n"),
    'Cannot read ~/: a.jpg has the label "positive" on line 1 of five_agree.txt and "negative" on ' +
      "line 3 of five_agree.txt. Keep one of the two lines, or leave such pictures out by a layout " +
      'with "contradictions": "leave-out"',
  );
});

Deno.test("readDataset() counts a picture once that a known data set lists twice", async () => {
  const files = { "five_agree.txt": "a.jpg 1\nb.jpg 0\na.jpg 1\n", "a.jpg": PICTURE };
  await withFiles(files, async (folder) => {
    const dataset = await readDataset(`twitter1:${folder}`);
    assert.deepEqual(pairs(dataset), [["a.jpg", "positive"], ["b.jpg", "negative"]]);
    assert.deepEqual(dataset.notes.slice(1), [
      "Listed pictures that are missing, of a sample of 3: 1.",
      "Lines that list a picture again, which counts once: 1.",
    ]);
  });
});

Deno.test("KNOWN_LAYOUTS are valid, and only those that were seen say so", () => {
  for (const id of KNOWN_LAYOUTS.keys()) {
    const layout = knownLayout(id);
    assert.equal(layout?.id, id);
    assert.match(layout.source, /\d{4}/);
  }
  const verified = [...KNOWN_LAYOUTS.values()].filter(({ isVerified }) => isVerified);
  assert.deepEqual(verified.map(({ id }) => id), ["oasis"]);
});

Deno.test("KNOWN_LAYOUTS name labels as the taxonomies do that they are of", () => {
  for (const { names, taxonomy = "" } of KNOWN_LAYOUTS.values()) {
    const labels = findTaxonomy(taxonomy)?.labels;
    if (names === undefined || labels === undefined) continue;
    // WEBEmo keeps its own spelling, which is that of the prompts.
    const words = taxonomy === "secondary"
      ? labels.map(({ word }) => word)
      : labels.map(({ id }) => id);
    assert.deepEqual(names, words);
  }
});
