import assert from "node:assert/strict";
import { formatTable, formatTables } from "../../../trainer/evaluation/format_table.ts";
import type { Table } from "../../../trainer/report/table.ts";

const TABLE: Table = {
  caption: "Accuracy in percent.",
  columns: [{ title: "method" }, { title: "Polarity (2)" }, { title: "better", isText: true }],
  rows: [
    { header: "zero-shot", cells: [{ text: "70.1" }, { text: "neither" }] },
    {
      header: "cross-entropy",
      isServed: true,
      cells: [
        { text: "78.3 ± 0.4", detail: "77.9–78.7", isBest: true },
        { text: "first", isServed: true },
      ],
    },
  ],
};

Deno.test("formatTable() aligns figures to the right and words to the left, and stars the best", () => {
  assert.equal(
    formatTable(TABLE),
    [
      "Accuracy in percent.",
      "method                             Polarity (2)  better",
      "zero-shot                                  70.1  neither",
      "cross-entropy (served)  *78.3 ± 0.4 [77.9–78.7]  first (served)",
    ].join("\n"),
  );
});

Deno.test("formatTable() writes a table without rows", () => {
  assert.equal(
    formatTable({ ...TABLE, rows: [] }),
    "Accuracy in percent.\nmethod  Polarity (2)  better",
  );
});

Deno.test("formatTables() leaves an empty line between tables", () => {
  const empty = { ...TABLE, rows: [] };
  const text = formatTable(empty);
  assert.equal(formatTables([empty, empty]), `${text}\n\n${text}`);
  assert.equal(formatTables([]), "");
});
