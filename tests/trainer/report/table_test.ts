import assert from "node:assert/strict";
import { type Table, tableMarkdown, tableMarkup } from "../../../trainer/report/table.ts";

const TABLE: Table = {
  caption: "Accuracy <%>",
  columns: [{ title: "method" }, { title: "a|b" }, { title: "why", isText: true }],
  rows: [
    {
      header: "zero-shot",
      isServed: true,
      cells: [{ text: "80.9", detail: "80.5–81.2", isBest: true }, { text: "<script>" }],
    },
    { header: "head", cells: [{ text: "70.0", isServed: true }, { text: "" }] },
  ],
};

Deno.test("tableMarkup() gives headers their scope, and marks the best and the served", () => {
  const { text } = tableMarkup(TABLE);
  assert.match(text, /aria-label="Accuracy &lt;%&gt;" tabindex="0"/);
  assert.match(text, /<th scope="col">method<\/th><th scope="col" class="figure">a\|b<\/th>/);
  assert.match(text, /<tr class="served"><th scope="row">zero-shot <span class="badge">served</);
  assert.match(text, /<td class="figure"><strong>80.9<\/strong><small>80.5–81.2<\/small><\/td>/);
  assert.match(text, /<td class="words">&lt;script&gt;<\/td>/);
  assert.match(text, /<td class="figure served">70.0<span class="badge">served</);
});

Deno.test("tableMarkdown() writes the same table", () => {
  assert.equal(
    tableMarkdown(TABLE),
    [
      "Accuracy \\<%\\>",
      "",
      "| method | a\\|b | why |",
      "| --- | ---: | --- |",
      "| zero-shot (served) | **80.9** (80.5–81.2) | \\<script\\> |",
      "| head | 70.0 (served) |  |",
    ].join("\n"),
  );
});
