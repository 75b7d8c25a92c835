/**
 * The prompt embeddings of taxonomies. The text encoder is open for them alone: it is closed before anything else that
 * takes much memory begins.
 */

import type { Prompts, Taxonomy } from "@clip-e/shared";
import { breather } from "../breather.ts";
import type { TextEncoderFiles } from "../bundle/bundle_draft.ts";
import { openClipTextEncoder } from "./clip_text.ts";
import { compilePrompts } from "./compile_prompts.ts";
import { TrainerError } from "../errors.ts";
import type { PromptedLabel } from "./label_file.ts";
import { startProgress } from "../progress.ts";

/** A taxonomy, and what stands for its labels. */
export interface CompiledTaxonomy {
  /** The taxonomy. */
  readonly taxonomy: Taxonomy<PromptedLabel>;
  /** Per label, in order. */
  readonly texts: readonly (readonly string[])[];
  /** Unit vectors, in label order. */
  readonly prompts: Prompts;
}

/**
 * Encodes the prompts of taxonomies, with a bar on stderr.
 *
 * @param taxonomies whose labels have prompts
 * @param text of the pictures' space
 * @param size of the image encoder's embeddings, which must be that of the texts
 * @param signal ends the work: its reason is thrown
 * @throws {TrainerError} when the sizes differ, as soon as the first taxonomy is done
 * @throws {ClipEError} `invalid-bundle`, when the files make no text encoder
 */
export async function compileTaxonomies(
  taxonomies: readonly Taxonomy<PromptedLabel>[],
  text: TextEncoderFiles,
  size: number,
  signal: AbortSignal,
): Promise<CompiledTaxonomy[]> {
  const encoder = await openClipTextEncoder(text);
  const breathe = breather(signal);
  const count = taxonomies.flatMap(({ labels }) => labels.flatMap(({ prompts }) => prompts)).length;
  const progress = startProgress("Encoding prompts", count);
  try {
    const compiled: CompiledTaxonomy[] = [];
    for (const taxonomy of taxonomies) {
      const texts = taxonomy.labels.map(({ prompts }) => prompts);
      const prompts = await compilePrompts(texts, encoder, async () => {
        progress.step();
        await breathe();
      });
      checkSize(prompts.size, size);
      compiled.push({ taxonomy, texts, prompts });
    }
    return compiled;
  } finally {
    await progress.stop();
    await encoder.close();
  }
}

function checkSize(text: number, image: number): void {
  if (text === image) return;
  throw new TrainerError(
    `The text encoder gives ${text} numbers and the image encoder ${image}: they are not of one model`,
  );
}
