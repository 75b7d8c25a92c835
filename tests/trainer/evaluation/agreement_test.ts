import { groupLogits } from "@clip-e/shared";
import assert from "node:assert/strict";
import {
  measureAgreement,
  measureAgreements,
  type TaxonomyScores,
} from "../../../trainer/evaluation/agreement.ts";
import { labelGroups, labelParents } from "../../../trainer/evaluation/label_groups.ts";
import { seededRandom } from "../../random.ts";

const FINE = ["rage", "zest", "pride", "shock"];
const COARSE = ["anger", "joy"];
const PARENTS = new Map([["rage", "anger"], ["zest", "joy"], ["pride", "joy"]]);

/** Answers by name: each picture scores 1 at one label. */
function answers(taxonomy: string, labels: readonly string[], ...said: string[]): TaxonomyScores {
  return {
    taxonomy,
    labels,
    scores: said.map((label) => labels.map((other) => other === label ? 1 : 0)),
  };
}

Deno.test("measureAgreement() counts pictures whose coarse answer is the fine one's parent", () => {
  const fine = answers("fine", FINE, "rage", "zest", "pride", "rage", "shock");
  const coarse = answers("coarse", COARSE, "anger", "joy", "anger", "joy", "joy");
  assert.deepEqual(measureAgreement(fine, coarse, PARENTS), {
    fine: "fine",
    coarse: "coarse",
    count: 4,
    agreeing: 2,
    share: 0.5,
  });
});

Deno.test("measureAgreement() is 0 where no answer has a parent", () => {
  const fine = answers("fine", FINE, "shock");
  const { count, share } = measureAgreement(fine, answers("coarse", COARSE, "joy"), PARENTS);
  assert.deepEqual({ count, share }, { count: 0, share: 0 });
});

Deno.test("measureAgreement() refuses answers on other pictures", () => {
  const fine = answers("fine", FINE, "rage", "zest");
  assert.throws(() => measureAgreement(fine, answers("coarse", COARSE, "joy"), PARENTS), {
    name: "RangeError",
    message: "Cannot compare 2 answers for fine with 1 for coarse",
  });
});

Deno.test("measureAgreements() holds each taxonomy against every coarser one", () => {
  const maps = new Map([
    ["fine", new Map([["Rage", "rage"], ["Zest", "zest"]])],
    ["middle", new Map([["Rage", "anger"], ["Zest", "joy"]])],
    ["coarse", new Map([["Rage", "negative"], ["Zest", "positive"]])],
  ]);
  const agreements = measureAgreements([
    answers("fine", ["rage", "zest"], "rage", "zest"),
    answers("middle", ["anger", "joy"], "anger", "joy"),
    answers("coarse", ["negative", "positive"], "negative", "negative"),
  ], maps);
  assert.deepEqual(agreements.map(({ fine, coarse, share }) => [fine, coarse, share]), [
    ["fine", "middle", 1],
    ["fine", "coarse", 0.5],
    ["middle", "coarse", 0.5],
  ]);
  maps.delete("coarse");
  const taxonomies = [
    answers("fine", ["rage"], "rage"),
    answers("coarse", ["negative"], "negative"),
  ];
  assert.throws(() => measureAgreements(taxonomies, maps), {
    name: "RangeError",
    message: "Cannot compare answers: coarse has no label map",
  });
});

Deno.test("labelParents() reads parents off two maps of a data set's own labels", () => {
  const fine = new Map([["a", "rage"], ["b", "zest"], ["c", "zest"], ["d", "shock"]]);
  const coarse = new Map([["a", "anger"], ["b", "joy"], ["c", "joy"]]);
  assert.deepEqual(labelParents(fine, coarse), new Map([["rage", "anger"], ["zest", "joy"]]));
});

Deno.test("labelParents() refuses a fine label of two coarse ones, or of one and none", () => {
  const fine = new Map([["a", "zest"], ["b", "zest"]]);
  assert.throws(() => labelParents(fine, new Map([["a", "joy"], ["b", "anger"]])), {
    name: "RangeError",
    message: "Cannot group zest: it belongs to joy and to anger",
  });
  assert.throws(() => labelParents(fine, new Map([["b", "anger"]])), {
    name: "RangeError",
    message: "Cannot group zest: it belongs to none and to anger",
  });
});

Deno.test("labelGroups() gives each fine label its parent's place, or -1", () => {
  assert.deepEqual(labelGroups(FINE, COARSE, PARENTS), Int32Array.of(0, 1, 1, -1));
});

Deno.test("labelGroups() refuses a parent that is no coarse label, and a coarse label without children", () => {
  assert.throws(() => labelGroups(FINE, ["anger"], PARENTS), {
    name: "RangeError",
    message: "Cannot group zest: joy is none of anger",
  });
  assert.throws(() => labelGroups(FINE, [...COARSE, "fear"], PARENTS), {
    name: "RangeError",
    message: "Cannot group labels: none belongs to fear",
  });
});

Deno.test("a grouped head's scores agree with its fine ones but where sums and tops differ", () => {
  const random = seededRandom(1);
  const labels = FINE.slice(0, 3);
  const fine = Array.from({ length: 300 }, () => [...random.floats(3)].map((z) => z * 3));
  const groups = labelGroups(labels, COARSE, PARENTS);
  const coarse = fine.map((logits) => groupLogits(logits, groups));
  const { agreeing } = measureAgreement(
    { taxonomy: "fine", labels, scores: fine },
    { taxonomy: "coarse", labels: COARSE, scores: coarse },
    PARENTS,
  );
  const outvoted =
    fine.filter(([rage, zest, pride]) =>
      rage > Math.max(zest, pride) && Math.exp(rage) < Math.exp(zest) + Math.exp(pride)
    ).length;
  assert.ok(outvoted > 0);
  assert.equal(agreeing, 300 - outvoted);
});
