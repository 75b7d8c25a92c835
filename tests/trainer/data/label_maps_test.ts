import assert from "node:assert/strict";
import { findTaxonomy } from "@clip-e/shared";
import {
  learnLabelMap,
  parseHierarchy,
  polarityOf,
  taxonomiesOf,
} from "../../../trainer/data/label_maps.ts";

const labelsOf = (id: string) => findTaxonomy(id)?.labels.map(({ id }) => id) ?? [];

Deno.test("taxonomiesOf() maps every secondary emotion but confusion to a primary one, and all to polarity", () => {
  const secondary = labelsOf("secondary");
  const taxonomies = taxonomiesOf(secondary, "secondary");
  assert.deepEqual([...taxonomies.keys()], ["secondary", "primary", "polarity"]);
  const primary = taxonomies.get("primary");
  assert.deepEqual(secondary.filter((label) => !primary?.has(label)), ["confusion"]);
  assert.deepEqual(new Set(primary?.values()), new Set(labelsOf("primary")));
  const polarity = taxonomies.get("polarity");
  assert.equal(polarity?.size, 25);
  // The plus signs of WEBEmo's category.txt.
  assert.deepEqual(secondary.filter((label) => polarity?.get(label) === "positive"), [
    "affection",
    "cheerfulness",
    "contentment",
    "enthrallment",
    "gratitude",
    "lust",
    "optimism",
    "pride",
    "relief",
    "surprise",
    "zest",
  ]);
});

Deno.test("taxonomiesOf() maps Mikels' eight emotions, four and four", () => {
  const { polarity } = Object.fromEntries(taxonomiesOf(labelsOf("mikels"), "mikels"));
  assert.deepEqual(Object.fromEntries(polarity), {
    amusement: "positive",
    anger: "negative",
    awe: "positive",
    contentment: "positive",
    disgust: "negative",
    excitement: "positive",
    fear: "negative",
    sadness: "negative",
  });
});

Deno.test("taxonomiesOf() knows labels by their prompts' words and in any case", () => {
  const taxonomies = taxonomiesOf(["Cheerfullness", "ZEST", "boredom"], "secondary");
  assert.deepEqual(
    taxonomies.get("secondary"),
    new Map([["Cheerfullness", "cheerfulness"], ["ZEST", "zest"]]),
  );
  assert.deepEqual(taxonomies.get("primary"), new Map([["Cheerfullness", "joy"], ["ZEST", "joy"]]));
});

Deno.test("taxonomiesOf() keeps labels of the user's own, and maps nothing where nothing is known", () => {
  assert.deepEqual(
    [...taxonomiesOf(["calm", "storm"], "weather")],
    [["weather", new Map([["calm", "calm"], ["storm", "storm"]])]],
  );
  assert.deepEqual([...taxonomiesOf(["calm", "storm"], undefined)], []);
});

Deno.test("taxonomiesOf() takes what a data set says itself before what was published, finest first", () => {
  const own = new Map([
    ["polarity", new Map<string, string | null>([["surprise", "positive"], ["fear", null]])],
    ["primary", new Map([["fear", "fear"], ["joy", "joy"], ["surprise", "surprise"]])],
  ]);
  assert.deepEqual([...taxonomiesOf(["fear", "joy", "surprise"], "emotion6", own)], [
    ["primary", new Map([["fear", "fear"], ["joy", "joy"], ["surprise", "surprise"]])],
    ["polarity", new Map([["joy", "positive"], ["surprise", "positive"]])],
  ]);
});

Deno.test("learnLabelMap() goes by the majority, counts who disagrees, and settles ties by name", () => {
  const pairs: [string, string][] = [
    ["zest", "joy"],
    ["zest", "love"],
    ["zest", "joy"],
    ["rage", "fear"],
    ["rage", "anger"],
  ];
  assert.deepEqual(learnLabelMap(pairs), {
    map: new Map([["zest", "joy"], ["rage", "anger"]]),
    pictures: 5,
    disagreements: 2,
  });
  assert.deepEqual(learnLabelMap([]), { map: new Map(), pictures: 0, disagreements: 0 });
});

Deno.test("parseHierarchy() reads tuples, whatever stands between them", () => {
  assert.deepEqual(
    parseHierarchy("# a\nlabels=[('zest', 'joy', '+'), \n\t( 'rage','anger' , '-')]"),
    new Map([
      ["zest", { primary: "joy", polarity: "positive" }],
      ["rage", { primary: "anger", polarity: "negative" }],
    ]),
  );
  assert.equal(parseHierarchy("zest joy +").size, 0);
});

Deno.test("polarityOf() is positive above the threshold, and nothing in the dead zone", () => {
  const at = (value: number, deadZone: number) => polarityOf(value, { threshold: 4, deadZone });
  assert.deepEqual([3.9, 4, 4.1].map((v) => at(v, 0)), ["negative", "negative", "positive"]);
  assert.deepEqual(
    [3.4, 3.5, 4, 4.5, 4.6].map((v) => at(v, 0.5)),
    ["negative", undefined, undefined, undefined, "positive"],
  );
});
