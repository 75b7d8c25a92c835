import assert from "node:assert/strict";
import { readLabelFile } from "../../../trainer/clip/label_file.ts";

const folder = await Deno.makeTempDir({ prefix: "clip_e_labels_" });
Deno.test.afterAll(() => Deno.remove(folder, { recursive: true }));

async function read(json: unknown): ReturnType<typeof readLabelFile> {
  const path = `${folder}/labels.json`;
  await Deno.writeTextFile(path, JSON.stringify(json));
  return await readLabelFile(path);
}

Deno.test("readLabelFile() reads labels with prompts, one or several", async () => {
  const labels = [
    { id: "sun", title: "Sunshine", prompts: ["a sunny day", "sunshine"] },
    { id: "rain", prompts: "rain" },
  ];
  assert.deepEqual(await read({ id: "weather", labels }), {
    id: "weather",
    title: "Weather",
    labels: [
      { id: "sun", title: "Sunshine", prompts: ["a sunny day", "sunshine"] },
      { id: "rain", title: "Rain", prompts: ["rain"] },
    ],
  });
});

Deno.test("readLabelFile() makes prompts of templates and names, and leaves given prompts as they are", async () => {
  const { labels } = await read({
    id: "weather",
    templates: ["a photo of {label}", "{label} outdoors"],
    labels: [
      "Rainy day",
      { id: "sun", names: ["sunshine", "the sun"] },
      { id: "snow", title: "White", names: "snow" },
      { id: "fog", prompts: "nothing to see" },
    ],
  });
  assert.deepEqual(labels, [
    {
      id: "rainy-day",
      title: "Rainy day",
      prompts: ["a photo of Rainy day", "Rainy day outdoors"],
    },
    {
      id: "sun",
      title: "Sun",
      prompts: [
        "a photo of sunshine",
        "a photo of the sun",
        "sunshine outdoors",
        "the sun outdoors",
      ],
    },
    { id: "snow", title: "White", prompts: ["a photo of snow", "snow outdoors"] },
    { id: "fog", title: "Fog", prompts: ["nothing to see"] },
  ]);
});

const PROMPTED = [{ id: "a", prompts: "a" }, { id: "b", prompts: "b" }];

const REFUSED: readonly [string, unknown, RegExp][] = [
  [
    "a template without a place for the label",
    { id: "x", templates: ["a photo of {label}", "a photo"], labels: ["a", "b"] },
    /templates\.1: must hold \{label\} where the label goes, and is "a photo"/,
  ],
  ["names without templates", { id: "x", labels: ["a", "b"] }, /templates: are needed/],
  [
    "templates that no label uses",
    { id: "x", templates: ["{label}"], labels: PROMPTED },
    /templates: are of no use/,
  ],
  [
    "prompts and names of one label",
    { id: "x", templates: ["{label}"], labels: ["a", { id: "b", prompts: "b", names: "b" }] },
    /labels\.1: a label has either prompts/,
  ],
  [
    "a label with neither",
    { id: "x", templates: ["{label}"], labels: ["a", { id: "b" }] },
    /labels\.1: a label has either prompts/,
  ],
  [
    "a name that makes no id",
    { id: "x", templates: ["{label}"], labels: ["a", "Fußball"] },
    /labels\.1\.id: must be lower-case letters/,
  ],
  [
    "two names of one id",
    { id: "x", templates: ["{label}"], labels: ["a b", "A  b"] },
    /a-b is twice there/,
  ],
  ["one label", { id: "x", labels: PROMPTED.slice(1) }, /labels: /],
  ["a field that there is not", { id: "x", labels: PROMPTED, template: "{label}" }, /template/],
];

for (const [what, json, message] of REFUSED) {
  Deno.test(`readLabelFile() refuses ${what}`, async () => {
    await assert.rejects(read(json), { name: "TrainerError", message });
  });
}
