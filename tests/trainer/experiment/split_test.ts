import assert from "node:assert/strict";
import { Random } from "../../../trainer/random.ts";
import {
  foldsByGroup,
  type GroupedExample,
  splitGroups,
} from "../../../trainer/experiment/split.ts";
import { type Random as TestRandom, seededRandom } from "../../random.ts";

/** Groups of 1 to `largest` pictures, in any order; pictures of a group often share its label. */
function pictures(groups: number, largest: number, random: TestRandom): GroupedExample[] {
  const examples = Array.from({ length: groups }, (_, g) => {
    const usual = random.pick(["joy", "joy", "joy", "fear", "fear", "awe"]);
    return Array.from({ length: random.integer(1, largest) }, () => ({
      group: `group ${g}`,
      label: random.fraction() < 0.7 ? usual : random.pick(["joy", "fear", "awe"]),
    }));
  }).flat();
  return new Random(random.integer(0, 1e6)).shuffled(examples);
}

/** Every picture is in one part, in order, and no group in two. */
function assertParts(parts: number[][], examples: readonly GroupedExample[]) {
  assert.deepEqual(parts.flat().sort((a, b) => a - b), [...examples.keys()]);
  const partOf = new Map<string, number>();
  for (const [p, part] of parts.entries()) {
    assert.ok(part.length > 0, `part ${p} is empty`);
    assert.deepEqual(part, part.toSorted((a, b) => a - b));
    for (const i of part) {
      const { group } = examples[i];
      assert.equal(partOf.get(group) ?? p, p, `${group} is in two parts`);
      partOf.set(group, p);
    }
  }
}

const FRACTIONS = [[0.8, 0.2], [0.5, 0.5], [0.6, 0.2, 0.2], [0.9, 0.05, 0.05], [1]];

Deno.test("splitGroups() puts each picture in one part and divides no group", () => {
  const random = seededRandom(12);
  for (let run = 0; run < 200; run++) {
    const examples = pictures(random.integer(3, 60), random.pick([1, 4, 30]), random);
    const fractions = random.pick(FRACTIONS);
    const parts = splitGroups(examples, fractions, new Random(run));
    assert.equal(parts.length, fractions.length);
    assertParts(parts, examples);
  }
});

Deno.test("splitGroups() gives parts near their sizes, with labels in like shares", () => {
  const random = seededRandom(13);
  for (let run = 0; run < 40; run++) {
    const examples = pictures(200, random.pick([1, 5, 9]), random);
    const fractions = random.pick(FRACTIONS);
    const share = (part: readonly number[], label: string) =>
      part.filter((i) => examples[i].label === label).length;
    for (const [p, part] of splitGroups(examples, fractions, new Random(run)).entries()) {
      const off = part.length - fractions[p] * examples.length;
      assert.ok(Math.abs(off) <= 9, `part ${p} of ${fractions} is ${off} pictures off`);
      for (const label of ["joy", "fear", "awe"]) {
        const wanted = fractions[p] * share([...examples.keys()], label);
        const labelOff = share(part, label) - wanted;
        assert.ok(Math.abs(labelOff) <= 9, `part ${p} of ${fractions}: ${labelOff} of ${label}`);
      }
    }
  }
});

Deno.test("splitGroups() gives a part to each of as many groups, however unlike", () => {
  const sizes = [100, 1, 1];
  const examples = sizes.flatMap((size, g) =>
    Array.from({ length: size }, () => ({ group: String(g), label: "a" }))
  );
  const parts = splitGroups(examples, [0.2, 0.2, 0.6], new Random(0));
  assertParts(parts, examples);
  assert.equal(parts[2].length, 100);
});

Deno.test("splitGroups() gives the same parts for a seed, others for another", () => {
  const examples = pictures(50, 3, seededRandom(14));
  const split = (seed: number) => splitGroups(examples, [0.7, 0.3], new Random(seed));
  assert.deepEqual(split(1), split(1));
  assert.notDeepEqual(split(1), split(2));
});

Deno.test("splitGroups() refuses more parts than groups, and fractions that make no whole", () => {
  const examples = ["a", "a", "b"].map((group) => ({ group, label: "x" }));
  const refuses = (fractions: number[], message: RegExp, some = examples) =>
    assert.throws(
      () => splitGroups(some, fractions, new Random(0)),
      (error) => error instanceof RangeError && message.test(error.message),
    );
  refuses([0.4, 0.3, 0.3], /Cannot make 3 parts: there are 2 groups, and a group is never divided/);
  refuses([0.5, 0.5], /there is 1 group/, examples.slice(0, 2));
  refuses([0.5, 0.5], /there are 0 groups/, []);
  refuses([0.5, 0.4], /Cannot split by 0.5, 0.4: fractions must be above 0 and sum to 1/);
  refuses([1, 0], /above 0/);
  refuses([1.5, -0.5], /above 0/);
  refuses([NaN, 1], /above 0/);
});

Deno.test("foldsByGroup() makes folds of like size and labels, and divides no group", () => {
  const random = seededRandom(15);
  for (let run = 0; run < 40; run++) {
    const examples = pictures(120, 4, random);
    const k = random.integer(2, 10);
    const folds = foldsByGroup(examples, k, new Random(run));
    assert.equal(folds.length, k);
    assertParts(folds, examples);
    for (const label of ["joy", "fear", "awe"]) {
      const counts = folds.map((fold) => fold.filter((i) => examples[i].label === label).length);
      const spread = Math.max(...counts) - Math.min(...counts);
      assert.ok(spread <= 6, `${label} occurs ${counts} times`);
    }
    const sizes = folds.map(({ length }) => length);
    assert.ok(Math.max(...sizes) - Math.min(...sizes) <= 6, `folds have ${sizes} pictures`);
  }
});

Deno.test("foldsByGroup() makes folds of one size where labels do not help", () => {
  const examples = Array.from({ length: 100 }, (_, i) => ({ group: `${i}`, label: `${i}` }));
  const folds = foldsByGroup(examples, 5, new Random(0));
  assert.deepEqual(folds.map(({ length }) => length), [20, 20, 20, 20, 20]);
});

Deno.test("foldsByGroup() refuses fewer groups than folds, and less than two folds", () => {
  const examples = ["a", "b", "c"].map((group) => ({ group, label: "x" }));
  assert.throws(() => foldsByGroup(examples, 4, new Random(0)), RangeError);
  for (const k of [1, 0, 2.5, NaN]) {
    assert.throws(
      () => foldsByGroup(examples, k, new Random(0)),
      (error) => error instanceof RangeError && error.message.includes(`Cannot make ${k} folds`),
    );
  }
  assert.equal(foldsByGroup(examples, 3, new Random(0)).length, 3);
});
