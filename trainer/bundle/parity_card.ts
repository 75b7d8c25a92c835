/**
 * What the model card says of quantised encoders: how near they are to the float ones, and what had to stay in floats.
 */

import type { Manifest, ManifestEncoder, ManifestTextParity } from "@clip-e/shared";
import { markdownTable } from "./markdown_table.ts";
import { percent } from "../percent.ts";

/**
 * Describes what quantising cost.
 *
 * @param manifest of the bundle
 * @returns paragraphs of Markdown; none where nothing was measured
 */
export function describeParities({ encoders, textEncoder }: Manifest): string[] {
  const paragraphs = [
    ...encoders.flatMap(describeEncoder),
    ...(textEncoder?.parity ? [describeText(textEncoder.parity)] : []),
  ];
  return paragraphs.length > 0 ? ["## What quantising cost", ...paragraphs] : [];
}

function describeEncoder({ precision, backends, parity }: ManifestEncoder): string[] {
  if (!parity) return [];
  const { cosineMin, cosineMedian, pictures, agreement = [], latency = [], kept } = parity;
  const rows = [
    ["cosine of the embeddings, least", cosineMin.toFixed(5)],
    ["cosine of the embeddings, median", cosineMedian.toFixed(5)],
    ...agreement.map(({ taxonomy, share }) => [
      `same best label by prompts, ${taxonomy}`,
      percent(share),
    ]),
    ...latency.map(({ backend, ratio }) => [
      `part of the float encoder's time, ${backend}`,
      ratio.toFixed(2),
    ]),
  ];
  const isElsewhere = latency.every(({ backend }) => !backends.includes(backend));
  const where = latency.length > 0 && isElsewhere
    ? `, though not on ${listOf(backends)}, which the machine that made it did not try`
    : "";
  return [
    `The ${precision} encoder, for ${listOf(backends)}, was made of the float one and compared ` +
    `with it on ${pictures} pictures${where}. Of several backends, the worst counts:`,
    markdownTable(["measure", "figure"], rows),
    ...(kept
      ? [
        `To stay that near, ${countOf(kept.nodes)} in 32-bit floats, ${percent(kept.share)} of ` +
        `the weights that could be quantised: ${kept.nodes.map((n) => `\`${n}\``).join(", ")}.`,
      ]
      : []),
  ];
}

function countOf({ length }: readonly string[]): string {
  return length === 1 ? "one node is" : `${length} nodes are`;
}

function describeText({ cosineMin, cosineMedian, texts }: ManifestTextParity): string {
  return `The text encoder, for labels at request time, is in 8-bit integers: over ${texts} texts, ` +
    `the cosine of its embeddings to the float one's is ${cosineMedian.toFixed(5)} in the median ` +
    `and at least ${cosineMin.toFixed(5)}. The prompts that the bundle brings were made with the ` +
    "float one.";
}

/** Words for people: "a, b and c". */
function listOf(words: readonly string[]): string {
  return [words.slice(0, -1).join(", "), ...words.slice(-1)].filter(Boolean).join(" and ");
}
