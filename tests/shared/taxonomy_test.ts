import { findTaxonomy, TAXONOMIES } from "@clip-e/shared";
import assert from "node:assert/strict";

/** What each taxonomy's labels are, in the order of the published heads' outputs. */
const LABELS: Readonly<Record<string, string>> = {
  polarity: "negative positive",
  primary: "anger fear joy love sadness surprise",
  secondary: "affection cheerfulness confusion contentment disappointment disgust enthrallment " +
    "envy exasperation gratitude horror irritability lust neglect nervousness optimism pride rage " +
    "relief sadness shame suffering surprise sympathy zest",
  mikels: "amusement anger awe contentment disgust excitement fear sadness",
  quadrant: "excitement distress gloom calm",
};

Deno.test("TAXONOMIES are polarity, primary, secondary, mikels and quadrant: 2, 6, 25, 8 and 4 labels", () => {
  assert.deepEqual(TAXONOMIES.map(({ id }) => id), Object.keys(LABELS));
  assert.deepEqual(TAXONOMIES.map(({ labels }) => labels.length), [2, 6, 25, 8, 4]);
});

for (const [id, labels] of Object.entries(LABELS)) {
  Deno.test(`TAXONOMIES has the labels of ${id} in the order of logits, rightly spelt`, () => {
    assert.deepEqual(findTaxonomy(id)?.labels.map((label) => label.id), labels.split(" "));
  });
}

Deno.test("TAXONOMIES asks of polarity by its feeling, of all else by the bare word", () => {
  assert.deepEqual(findTaxonomy("polarity")?.labels.map(({ prompt }) => prompt), [
    "a photo that evokes a negative feeling",
    "a photo that evokes a positive feeling",
  ]);
  for (const { id, labels } of TAXONOMIES.filter(({ id }) => id !== "polarity")) {
    for (const label of labels) {
      const word = {
        cheerfulness: "cheerfullness",
        irritability: "irritabilty",
      }[label.id] ?? label.id;
      assert.equal(label.prompt, `a photo that evokes ${word}`, `${id}: ${label.id}`);
    }
  }
});

Deno.test("TAXONOMIES keeps two misspellings in prompts, which heads were trained with, and only there", () => {
  const misspelt = (text: string) => /cheerfullness|irritabilty/i.test(text);
  const labels = TAXONOMIES.flatMap((taxonomy) => taxonomy.labels);
  assert.deepEqual(labels.filter(({ prompt }) => misspelt(prompt)).map(({ id }) => id), [
    "cheerfulness",
    "irritability",
  ]);
  assert.ok(!labels.some(({ id, title }) => misspelt(id) || misspelt(title)));
});

Deno.test("TAXONOMIES gives titles to people: the id with a capital", () => {
  for (const { title, labels } of TAXONOMIES) {
    assert.match(title, /^[A-Z]/);
    for (const label of labels) {
      assert.equal(label.title.toLowerCase(), label.id);
      assert.match(label.title, /^[A-Z][a-z]+$/);
    }
  }
});

Deno.test("TAXONOMIES repeats no id, neither of taxonomies nor of labels within one", () => {
  const ids = TAXONOMIES.map(({ id }) => id);
  assert.equal(new Set(ids).size, ids.length);
  for (const { id, labels } of TAXONOMIES) {
    assert.equal(new Set(labels.map((label) => label.id)).size, labels.length, id);
    assert.equal(new Set(labels.map((label) => label.prompt)).size, labels.length, id);
  }
});

Deno.test("findTaxonomy() gives the taxonomy, or undefined for a name of the user's own", () => {
  assert.equal(findTaxonomy("mikels"), TAXONOMIES[3]);
  assert.equal(findTaxonomy("weather"), undefined);
  assert.equal(findTaxonomy("Polarity"), undefined);
  assert.equal(findTaxonomy(""), undefined);
});
