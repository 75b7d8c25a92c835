import assert from "node:assert/strict";
import { leastAgreement, leastCosine } from "../../../trainer/encoder/encoder_parity.ts";
import type { BackendFidelity, Fidelity } from "../../../trainer/fidelity/measure_fidelity.ts";

/** A backend's figures: its least cosine, and pictures of two taxonomies that agree. */
function backend(min: number, polarity: number, primary: number): BackendFidelity {
  return {
    backend: "any",
    cosine: { min, median: 1, mean: 1 },
    agreement: [{ taxonomy: "polarity", pictures: polarity }, {
      taxonomy: "primary",
      pictures: primary,
    }],
    latency: { float: 2, quantised: 1, ratio: 0.5 },
  };
}

const FIDELITY: Fidelity = {
  pictures: 40,
  bytes: { float: 4, quantised: 1, ratio: 0.25 },
  backends: [backend(0.995, 40, 30), backend(0.99, 38, 36)],
};

Deno.test("leastCosine() is the worst picture's on the worst backend", () => {
  assert.equal(leastCosine(FIDELITY), 0.99);
});

Deno.test("leastAgreement() takes each taxonomy from the backend that is worst at it", () => {
  assert.deepEqual(leastAgreement(FIDELITY), [
    { taxonomy: "polarity", share: 0.95 },
    { taxonomy: "primary", share: 0.75 },
  ]);
});

Deno.test("leastAgreement() says nothing where there were no prompts", () => {
  const silent = FIDELITY.backends.map((one) => ({ ...one, agreement: [] }));
  assert.deepEqual(leastAgreement({ ...FIDELITY, backends: silent }), []);
});
