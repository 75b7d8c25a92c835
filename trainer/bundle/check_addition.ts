/**
 * What a head must agree with before it goes into a bundle that exists. Checked before the work, and never settled by
 * dropping what the user asked for.
 */

import type { LabelName, Manifest, Preprocessing, Taxonomy } from "@clip-e/shared";
import type { BundleIdentity } from "./bundle_draft.ts";
import type { EncoderFile } from "../encoder/encoder_file.ts";
import { TrainerError } from "../errors.ts";

/** What is about to go into a bundle. */
export interface Addition {
  /** What the user said of the bundle. */
  readonly given: Partial<BundleIdentity>;
  /** The embedding space that the head is trained in. */
  readonly embeddingSpace: string;
  /** The encoder that the head is trained on. */
  readonly encoder: Pick<EncoderFile, "sha256" | "preprocessing">;
  /** What the head answers. */
  readonly taxonomy: Pick<Taxonomy<LabelName>, "id" | "labels">;
}

/**
 * Refuses a cross-entropy head that does not fit the bundle.
 *
 * @param manifest the bundle's
 * @param addition what is about to go into it
 * @throws {TrainerError} saying what differs, and what the bundle has
 */
export function checkAddition(manifest: Manifest, addition: Addition): void {
  const why = findEncoderClash(manifest, addition) ?? findIdentityClash(manifest, addition) ??
    findLabelClash(manifest, addition);
  if (why === undefined) return;
  throw new TrainerError(`Cannot add a head to the bundle ${manifest.name}: ${why}`);
}

function findEncoderClash({ encoders }: Manifest, { encoder }: Addition): string | undefined {
  const same = encoders.filter(({ file, parity }) =>
    [file.sha256, parity?.float].includes(encoder.sha256)
  );
  if (same.length === 0) return "it has another encoder. Name a new folder";
  const asText = ({ resize, crop, mean, std, interpolation, resizeMode }: Preprocessing) =>
    JSON.stringify([resize, crop, mean, std, interpolation, resizeMode ?? "shortest"]);
  const wanted = asText(encoder.preprocessing);
  const isServed = same.some((entry) => asText({ ...entry, ...entry.input }) === wanted);
  return isServed ? undefined : "it preprocesses pictures in another way. Name a new folder";
}

function findIdentityClash(
  manifest: Manifest,
  { given, embeddingSpace }: Addition,
): string | undefined {
  const options: readonly (readonly [option: string, given: string | undefined, has: string])[] = [
    ["name", given.name, manifest.name],
    ["space", given.embeddingSpace, manifest.embeddingSpace.id],
    ["license", given.license, manifest.license],
    ["origin", given.encoderOrigin, manifest.provenance.encoder ?? ""],
    ["about", given.about?.trim(), manifest.about ?? ""],
  ];
  const clash = options.find(([, given, has]) => given !== undefined && given !== has);
  if (clash) {
    const [option, given, has] = clash;
    return `--${option} is ${quote(given ?? "")}, and the bundle's is ${quote(has)}. ` +
      `Leave --${option} out, or name a new folder`;
  }
  if (embeddingSpace === manifest.embeddingSpace.id) return undefined;
  return `its embedding space is ${manifest.embeddingSpace.id}, not ${embeddingSpace}. ` +
    "Name it with --space";
}

/** Other methods answer by the order of labels that the bundle has. */
function findLabelClash(
  { taxonomies, prompts }: Manifest,
  { taxonomy: { id, labels } }: Addition,
): string | undefined {
  const known = taxonomies.find((taxonomy) => taxonomy.id === id);
  if (!known) return undefined;
  const others = [
    ...known.methods.map(({ method }) => method).filter((method) => method !== "cross-entropy"),
    ...(prompts.some(({ taxonomy }) => taxonomy === id) ? ["prompts"] : []),
  ];
  const list = (some: readonly { readonly id: string }[]) => some.map(({ id }) => id).join(", ");
  if (others.length === 0 || list(known.labels) === list(labels)) return undefined;
  return `its ${id} has the labels ${list(known.labels)}, in this order, for ${
    others.join(", ")
  }, and the data has ${list(labels)}. Name another taxonomy, or a new folder`;
}

/** A text for an error: its beginning, if it is long. */
function quote(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}...` : text);
}
