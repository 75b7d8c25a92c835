/**
 * What a build says at its end: a summary for people; as JSON it is the report itself.
 */

import type { ManifestEncoder, ManifestTextEncoder } from "@clip-e/shared";
import type { EncoderVariant } from "./encoder/encoder_variants.ts";
import { formatSearch } from "./fidelity/format_fidelity.ts";
import { percent } from "./percent.ts";

/** An encoder of the bundle, with all that was measured when it was made. */
export type BuiltEncoder = ManifestEncoder & Pick<EncoderVariant, "fidelity" | "search">;

/** What came of a build. */
export interface BuildReport {
  /** Where the bundle lies, and the digest of its manifest. */
  readonly bundle: { readonly folder: string; readonly digest: string };
  /** The id of the embedding space. */
  readonly space: string;
  /** Ids. */
  readonly taxonomies: readonly string[];
  /** In order of preference. */
  readonly encoders: readonly BuiltEncoder[];
  /** Where callers may ask for labels of their own. */
  readonly textEncoder?: ManifestTextEncoder | undefined;
}

/**
 * Writes the summary.
 *
 * @param report what came of the build
 * @returns lines for a terminal
 */
export function formatBuild(report: BuildReport): string {
  const { bundle, space, encoders, textEncoder, taxonomies } = report;
  const rows: (readonly [name: string, value: string])[] = [
    ["Bundle", `${bundle.folder} (${bundle.digest.slice(0, 19)})`],
    ["Space", space],
    ...encoders.flatMap(describeEncoder),
    ...(textEncoder ? [["Text", describeText(textEncoder)] as const] : []),
    ["Zero-shot", taxonomies.join(", ")],
  ];
  const searches = encoders.flatMap(({ parity, search }) =>
    parity?.kept && search ? ["", formatSearch(search)] : []
  );
  return [...rows.map(([name, value]) => name.padEnd(11) + value), ...searches].join("\n");
}

function describeEncoder(
  { file, externalData = [], precision, backends, parity, fidelity }: BuiltEncoder,
): (readonly [name: string, value: string])[] {
  const size = megabytes([file, ...externalData]);
  const part = fidelity ? `, ${percent(fidelity.bytes.ratio)} of the float file` : "";
  const head = ["Encoder", `${precision} for ${backends.join(", ")}: ${size}${part}`] as const;
  if (!parity) return [head];
  const { cosineMin, cosineMedian, pictures, agreement = [], latency = [], kept } = parity;
  const isOwn = latency.some(({ backend }) => backends.includes(backend));
  const lines = [
    `cosine to float: min ${cosineMin.toFixed(5)}, median ${
      cosineMedian.toFixed(5)
    }, on ${pictures} pictures`,
    `same best label: ${
      agreement.map(({ taxonomy, share }) => `${taxonomy} ${percent(share)}`).join(", ")
    }`,
    `time against float: ${
      latency.map(({ backend, ratio }) => `${backend} ${ratio.toFixed(2)}`).join(", ")
    }${isOwn ? "" : ` (${backends.join(", ")} was not measured)`}`,
    ...(kept
      ? [`kept in floats: ${countOf(kept.nodes)}, ${percent(kept.share)} of the weights`]
      : []),
  ];
  return [head, ...lines.map((line) => ["", line] as const)];
}

function countOf({ length }: readonly string[]): string {
  return `${length} ${length === 1 ? "node" : "nodes"}`;
}

function describeText({ file, externalData = [], parity }: ManifestTextEncoder): string {
  const size = megabytes([file, ...externalData]);
  if (!parity) return `as it was found: ${size}`;
  const { cosineMin, cosineMedian, texts } = parity;
  return `int8: ${size}, cosine to float: min ${cosineMin.toFixed(5)}, median ${
    cosineMedian.toFixed(5)
  }, on ${texts} texts`;
}

function megabytes(files: readonly { readonly bytes: number }[]): string {
  return `${(files.reduce((sum, { bytes }) => sum + bytes, 0) / 1e6).toFixed(1)} MB`;
}
