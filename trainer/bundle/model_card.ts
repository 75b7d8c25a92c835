/**
 * The model card: what a bundle is for, how well it does and where it comes from. It says nothing that the manifest does
 * not; its opening words are the user's.
 */

import type { Manifest, ManifestEncoder } from "@clip-e/shared";
import { markdownTable } from "./markdown_table.ts";
import { describeParities } from "./parity_card.ts";

/** The figures that the table shows, in order. */
const COLUMNS: readonly (readonly [figure: string, heading: string])[] = [
  ["count", "pictures"],
  ["majority", "majority share"],
  ["accuracy", "accuracy"],
  ["balancedAccuracy", "balanced accuracy"],
  ["macroF1", "macro F1"],
  ["rocAuc", "ROC AUC"],
  ["expectedCalibrationError", "calibration error"],
];

/**
 * Writes the model card.
 *
 * @param manifest whose own entry of the card does not matter
 * @returns Markdown
 */
export function writeModelCard(manifest: Manifest): string {
  const { name, encoders: [encoder], embeddingSpace, taxonomies, provenance, license } = manifest;
  const methods = taxonomies.flatMap(({ id, methods }) => methods.map((entry) => ({ id, entry })));
  const rows = methods.map(({ id, entry }) => [
    id,
    entry.method,
    ...COLUMNS.map(([figure]) => formatFigure(figure, entry.figures?.[figure])),
  ]);
  const labels = taxonomies.map(({ id, title, labels }) =>
    `- \`${id}\` (${title}): ${labels.map(({ title }) => title.toLowerCase()).join(", ")}`
  );
  const measured = new Set(
    methods.flatMap(({ id, entry }) => entry.measured ? [`- \`${id}\`: ${entry.measured}`] : []),
  );
  const origins = Object.entries(provenance).map(([part, words]) => `- ${part}: ${words}`);
  return [
    `# ${name}`,
    manifest.about ?? "",
    "## Intended use",
    "It estimates the sentiment that a picture **evokes** in people who look at it, as raters gave it. It does not " +
    "tell the feelings of people shown in the picture, and should not be used to judge people.",
    "It answers for these label sets:",
    labels.join("\n"),
    "## How well it does",
    markdownTable(["taxonomy", "method", ...COLUMNS.map(([, heading]) => heading)], rows),
    "Measured on pictures that the head was not fitted to:",
    [...measured].join("\n"),
    "## How it was made",
    origins.join("\n"),
    `Pictures are ${describeResize(encoder)}, scaled to 0..1, and normalised by mean ` +
    `${encoder.mean.join(" ")} and deviation ${
      encoder.std.join(" ")
    }. The embedding has ${embeddingSpace.size} ` +
    `numbers; its space is \`${embeddingSpace.id}\`.`,
    ...describeParities(manifest),
    "## Licence of the weights",
    license,
  ].filter((paragraph) => paragraph !== "").join("\n\n") + "\n";
}

function describeResize({ input, interpolation, resizeMode }: ManifestEncoder): string {
  const { resize, crop } = input;
  const filter = `Pillow's antialiased ${interpolation}`;
  return resizeMode === "squash"
    ? `resized to ${resize} x ${resize} whatever their proportions (${filter})`
    : `resized to a shorter side of ${resize} (${filter}), cut to the middle ${crop} x ${crop}`;
}

function formatFigure(figure: string, value: number | undefined): string {
  if (value === undefined) return "";
  return figure === "count" ? String(value) : value.toFixed(3);
}
