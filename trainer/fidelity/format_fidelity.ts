/**
 * Fidelity for people: lines of text.
 */

import type { Fidelity } from "./measure_fidelity.ts";
import type { TargetSearch } from "./quantize_to_target.ts";
import { percent } from "../percent.ts";

/** Nodes of a search that are listed though they were not kept. */
const LISTED_OTHERS = 5;

/**
 * Writes a table of both encoders.
 *
 * @returns without a line break at its end
 */
export function formatFidelity({ pictures, bytes, backends }: Fidelity): string {
  const megabytes = (n: number) => `${(n / 1e6).toFixed(1)} MB`;
  const rows = [["", ...backends.map(({ backend }) => backend)]];
  const row = (name: string, value: (on: Fidelity["backends"][number]) => string) =>
    rows.push([name, ...backends.map(value)]);
  row("cosine, min", ({ cosine }) => cosine.min.toFixed(5));
  row("cosine, median", ({ cosine }) => cosine.median.toFixed(5));
  row("cosine, mean", ({ cosine }) => cosine.mean.toFixed(5));
  row("centred cosine, min", ({ centredCosine }) => centredCosine?.min.toFixed(5) ?? "-");
  row("centred cosine, median", ({ centredCosine }) => centredCosine?.median.toFixed(5) ?? "-");
  for (const [i, { taxonomy }] of backends[0]?.agreement.entries() ?? []) {
    row(`same best of ${taxonomy}`, ({ agreement }) => `${agreement[i].pictures} of ${pictures}`);
  }
  row("float, ms", ({ latency }) => latency.float.toFixed(1));
  row("quantised, ms", ({ latency }) => latency.quantised.toFixed(1));
  row("part of the time", ({ latency }) => latency.ratio.toFixed(2));
  return [
    `Fidelity on ${pictures} pictures, ${percent(bytes.ratio)} of the size (${
      megabytes(bytes.quantised)
    } of ${megabytes(bytes.float)})`,
    ...align(rows),
  ].join("\n");
}

/**
 * Writes a table of the nodes that were kept in floats, and of those that came next.
 *
 * @returns without a line break at its end
 */
export function formatSearch({ target, nodes, keptShare, trials }: TargetSearch): string {
  const kept = nodes.filter(({ isKept }) => isKept);
  const head = `Target cosine ${target}, met in ${trials} ${trials === 1 ? "trial" : "trials"}: `;
  if (kept.length === 0) return `${head}nothing has to stay in floats`;
  const others = nodes.filter(({ isKept }) => !isKept).slice(0, LISTED_OTHERS);
  const listed = nodes.filter((node) => node.isKept || others.includes(node));
  return [
    `${head}${kept.length} of ${nodes.length} nodes stay in floats, ${
      percent(keptShare)
    } of the weights`,
    ...align([
      ["node", "weights", "harm", ""],
      ...listed.map(({ name, share, harm, isKept }) => [
        name,
        percent(share),
        harm.toExponential(1),
        isKept ? "kept" : "",
      ]),
    ]),
  ].join("\n");
}

/** The first column stands left, the others right. */
function align(rows: readonly (readonly string[])[]): string[] {
  const widths = rows[0].map((_, i) => Math.max(...rows.map((row) => row[i].length)));
  return rows.map((row) =>
    row.map((cell, i) => i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i])).join("  ")
      .trimEnd()
  );
}
