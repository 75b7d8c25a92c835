/**
 * How a model's cosines become scores: the trained numbers that its ONNX files leave out.
 */

import type { Normalization, Scoring } from "@clip-e/shared";
import { UsageError } from "@clip-e/shared/command-line";
import { TrainerError } from "../errors.ts";
import { findKnownModel } from "./known_models.ts";

/** CLIP's own, for models of which nothing is known. */
export const DEFAULT_LOGIT_SCALE = 100;

/** What the user says of them. */
export interface GivenScoring {
  /** The trained logit scale, above 0: exp of the weights' `logit_scale`. */
  readonly logitScale?: number | undefined;
  /** The trained logit bias, of models that score by a sigmoid. */
  readonly logitBias?: number | undefined;
}

/** How a model scores. */
export interface ClipScoring {
  /** The numbers. */
  readonly scoring: Scoring;
  /** Whether the logit scale is a guess. */
  readonly isAssumed: boolean;
}

/**
 * Finds how a model scores: as the user says, or else as is known of it. CLIP's scale may be guessed, as models of its
 * kind stand at 100; SigLIP's numbers may not.
 *
 * @param model its name
 * @param normalization of its kind
 * @param given by the user
 * @throws {UsageError} when a bias is given for a softmax
 * @throws {TrainerError} when SigLIP's numbers are not known
 */
export function findClipScoring(
  model: string,
  normalization: Normalization,
  { logitScale, logitBias }: GivenScoring = {},
): ClipScoring {
  const known = findKnownModel(model);
  const scale = logitScale ?? known?.logitScale;
  if (normalization === "softmax") {
    if (logitBias !== undefined) {
      throw new UsageError(`--logit-bias is for SigLIP models, and ${model} is a CLIP model`);
    }
    const temperature = 1 / (scale ?? DEFAULT_LOGIT_SCALE);
    return { scoring: { temperature }, isAssumed: scale === undefined };
  }
  const bias = logitBias ?? known?.logitBias;
  if (scale === undefined || bias === undefined) {
    throw new TrainerError(
      `Cannot score with ${model}: a SigLIP model's scores are sigmoid(scale x cosine + bias), and nothing is known of ` +
        "its scale and bias, without which they would be wrong. Give both, from its weights: --logit-scale=N, exp of " +
        "logit_scale, and --logit-bias=N, logit_bias",
    );
  }
  return { scoring: { temperature: 1 / scale, normalization, bias }, isAssumed: false };
}
