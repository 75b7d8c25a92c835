/**
 * The options of `deno task distill`.
 */

import type { FlagValues } from "@clip-e/shared/command-line";
import { FEATURE_LOSSES } from "./distill/feature_loss.ts";
import { STUDENT_FORMS, STUDENTS } from "./distill/parse_student.ts";
import { BACKEND_CHOICES } from "./embedding/choose_backend.ts";
import { DATA_FLAGS, DATA_HELP } from "./train_options.ts";

/** As `readCommandLine` takes them. */
export const DISTILL_FLAGS = {
  teacher: {
    kind: "string",
    value: "FILE",
    help: "The large encoder: ONNX, with its preprocessor_config.json beside it",
  },
  pictures: {
    kind: "strings",
    value: "SOURCE",
    help: "A folder of pictures, at any depth, or tar:PATTERN; may be given several times",
  },
  student: {
    kind: "string",
    value: "SPEC",
    default: "conv-tiny",
    help: `The small one: ${Object.keys(STUDENTS).join(", ")}, ${STUDENT_FORMS}`,
  },
  out: { kind: "string", value: "FILE", help: "The small encoder's ONNX file" },
  views: {
    kind: "integer",
    min: 1,
    default: 131072,
    help: "How many views of the pictures are shown to the large one",
  },
  viewSize: {
    kind: "integer",
    min: 8,
    help:
      "Side of the views that are kept, in pixels, for students of several sizes (default: the student's)",
  },
  passes: {
    kind: "integer",
    min: 1,
    default: 8,
    help: "How often the small one looks at each view",
  },
  earlySize: {
    kind: "integer",
    min: 8,
    help:
      "Side of the views that a convolutional student sees first, in pixels: smaller is quicker",
  },
  early: {
    kind: "number",
    min: 0,
    max: 1,
    default: 0.5,
    help: "The share of steps on views of that size",
  },
  loss: {
    kind: "string",
    value: "NAME",
    default: "standardised",
    help: `What is made small: ${
      Object.entries(FEATURE_LOSSES).map(([name, what]) => `${name}, ${what}`).join("; ")
    }`,
  },
  int8Weights: {
    kind: "boolean",
    help: "Round weights while it learns, so that quantize --mode int8-weights loses nothing",
  },
  labels: {
    kind: "string",
    value: "SOURCE",
    help:
      `Labelled pictures, whose labels it is to see, too (how to read them: --layout to --dead-zone): ${DATA_HELP}`,
  },
  labelWeight: {
    kind: "number",
    min: 0,
    default: 1,
    help: "How much the cross-entropy of a labelled view counts beside its features",
  },
  labelViews: {
    kind: "integer",
    min: 1,
    help: "How many views of labelled pictures (default: a quarter of --views)",
  },
  ...DATA_FLAGS,
  batch: { kind: "integer", min: 1, default: 64, help: "Views of one step" },
  learningRate: { kind: "number", min: 0, default: 0.002, help: "Of the largest steps" },
  warmUp: {
    kind: "number",
    min: 0,
    max: 0.9,
    default: 0.03,
    help: "The share of steps that first grow",
  },
  weightDecay: { kind: "number", min: 0, default: 0.02, help: "Of kernels, in a step of size 1" },
  measurements: {
    kind: "integer",
    min: 1,
    default: 20,
    help: "How often it is held against the large one on pictures that are held out",
  },
  seed: {
    kind: "integer",
    min: 0,
    max: 2 ** 20,
    default: 0,
    help: "Of views, order and weights",
  },
  cache: {
    kind: "string",
    value: "DIR",
    help: "Of views and unfinished training (default: .cache/distill)",
  },
  backend: {
    kind: "string",
    value: "NAME",
    default: "auto",
    help: `What computes: ${BACKEND_CHOICES.join(", ")}`,
  },
  workers: {
    kind: "integer",
    min: 1,
    help:
      "Views made at a time, and cores of one step (default: one to each core, as memory allows)",
  },
  viewsOnly: { kind: "boolean", help: "Make the views, and leave training for later" },
  json: { kind: "boolean", help: "Print the summary as JSON" },
} as const;

/** Their values. */
export type DistillFlags = FlagValues<typeof DISTILL_FLAGS>;
