import assert from "node:assert/strict";
import { fillTemplates, templateFault } from "../../../trainer/clip/templates.ts";

Deno.test("fillTemplates() puts every name into every template", () => {
  assert.deepEqual(
    fillTemplates(["a photo of {label}", "{label}"], ["a dog", "a puppy"]),
    ["a photo of a dog", "a photo of a puppy", "a dog", "a puppy"],
  );
});

Deno.test("fillTemplates() fills every place, and takes names as they are", () => {
  assert.deepEqual(fillTemplates(["{label} and {label}"], ["$& {label}"]), [
    "$& {label} and $& {label}",
  ]);
});

Deno.test("templateFault() finds a template without a place for the label", () => {
  assert.equal(templateFault("a photo of {label}."), undefined);
  assert.match(templateFault("a photo of {}") ?? "", /must hold \{label\}.*"a photo of \{\}"/);
});
