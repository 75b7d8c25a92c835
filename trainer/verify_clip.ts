/**
 * `deno task verify:clip`: the whole way from the hub's files to scores, against the numbers that OpenAI published for
 * CLIP ViT-B/32 on the picture of its README. It needs the hub, and so cannot run on a machine that is cut off from it.
 */

import { cosineLogits, preprocess, type Prompts, scoreLogits, sha256 } from "@clip-e/shared";
import { type FlagValues, readCommandLine, UsageError } from "@clip-e/shared/command-line";
import { dirname } from "node:path";
import type { TextEncoderFiles } from "./bundle/bundle_draft.ts";
import { findClipModel, readClipConfig } from "./clip/clip_model.ts";
import { findClipScoring } from "./clip/clip_scoring.ts";
import { openClipTextEncoder, readTextEncoderFiles } from "./clip/clip_text.ts";
import { compilePrompts } from "./clip/compile_prompts.ts";
import { decodeFile } from "./embedding/decode_file.ts";
import { openEncoderFile } from "./encoder/encoder_file.ts";
import { TrainerError } from "./errors.ts";
import { fail } from "./fail.ts";
import { median } from "./fidelity/cosines.ts";
import { userPath } from "./user_path.ts";

/** Of OpenAI's README, with the picture `CLIP.png` of its repository. */
const PUBLISHED = {
  model: "openai/clip-vit-base-patch32",
  picture: "https://raw.githubusercontent.com/openai/CLIP/main/CLIP.png",
  pictureSha256: "308a3ca4503f1c7a07803916c369d78c4ef501e5ab7fc727da9b5e1d2f9ec85b",
  texts: ["a diagram", "a dog", "a cat"],
  scores: "0.9927937,0.00421068,0.00299572",
} as const;

const COMMAND = {
  name: "deno task verify:clip",
  description:
    "Scores the picture of CLIP's README with the real model, holds the scores against OpenAI's, and times the encoder.",
  flags: {
    model: {
      kind: "string",
      value: "NAME",
      default: PUBLISHED.model,
      help: "On the hub, or a folder",
    },
    revision: { kind: "string", value: "REV", default: "main", help: "On the hub" },
    picture: { kind: "string", value: "FILE", help: "CLIP.png, instead of fetching it" },
    expect: {
      kind: "string",
      value: "P,P,P",
      default: PUBLISHED.scores,
      help: `The scores of ${PUBLISHED.texts.join(", ")}`,
    },
    tolerance: { kind: "number", min: 0, default: 2e-3, help: "How far a score may be off" },
    runs: { kind: "integer", min: 1, default: 9, help: "Of the encoder, to time it" },
    json: { kind: "boolean", help: "Print the summary as JSON" },
  },
} as const;

type Options = FlagValues<typeof COMMAND.flags>;

/** What came of it. */
interface Verification {
  readonly scores: readonly {
    readonly text: string;
    readonly score: number;
    readonly expected: number;
  }[];
  readonly largestError: number;
  readonly tolerance: number;
  /** Of the image encoder, one thread, median. */
  readonly encodeMilliseconds: number;
}

async function readPicture(file: string | undefined): Promise<Uint8Array<ArrayBuffer>> {
  if (file !== undefined) {
    return await Deno.readFile(userPath(file)).catch((cause) => {
      throw new TrainerError(`Cannot read the picture ${file}: ${cause.message}`, { cause });
    });
  }
  const mend = "Give the file with --picture";
  const response = await fetch(PUBLISHED.picture).catch((cause) => {
    throw new TrainerError(`Cannot fetch ${PUBLISHED.picture}: ${cause.message}. ${mend}`, {
      cause,
    });
  });
  if (!response.ok) {
    throw new TrainerError(`Cannot fetch ${PUBLISHED.picture}: ${response.status}. ${mend}`);
  }
  const bytes = new Uint8Array(await response.arrayBuffer());
  if (await sha256(bytes) === PUBLISHED.pictureSha256) return bytes;
  throw new TrainerError(`${PUBLISHED.picture} is not the picture that it was. ${mend}`);
}

/** `[K, P]`, of the three texts. */
async function encodeTexts(text: TextEncoderFiles): Promise<Prompts> {
  const encoder = await openClipTextEncoder(text);
  try {
    return await compilePrompts(PUBLISHED.texts.map((text) => [text]), encoder);
  } finally {
    await encoder.close();
  }
}

async function run(options: Options): Promise<Verification> {
  const { model, revision, expect, tolerance, runs } = options;
  const expected = expect.split(",").map(Number);
  if (expected.length !== PUBLISHED.texts.length || !expected.every(Number.isFinite)) {
    throw new UsageError(`--expect must be ${PUBLISHED.texts.length} numbers`);
  }
  const bytes = await readPicture(options.picture);
  const files = await findClipModel(model, { revision });
  const { normalization } = await readClipConfig(files.paths["config.json"]);
  const { scoring } = findClipScoring(model, normalization);
  const text = await readTextEncoderFiles(files, scoring);
  const prompts = await encodeTexts(text);
  const { encoder, preprocessing } = await openEncoderFile(files.paths["onnx/vision_model.onnx"], {
    configFolder: dirname(files.paths["preprocessor_config.json"]),
  });
  const input = preprocess(await decodeFile(bytes, 50_000_000), preprocessing);
  const times: number[] = [];
  let embedding = await encoder.encode(input);
  for (let i = 0; i < runs; i++) {
    const start = performance.now();
    embedding = await encoder.encode(input);
    times.push(performance.now() - start);
  }
  await encoder.close();
  const scores = scoreLogits(cosineLogits(embedding, prompts), scoring);
  return {
    scores: PUBLISHED.texts.map((text, k) => ({ text, score: scores[k], expected: expected[k] })),
    largestError: Math.max(...expected.map((p, k) => Math.abs(p - scores[k]))),
    tolerance,
    encodeMilliseconds: median(times),
  };
}

function print({ scores, largestError, tolerance, encodeMilliseconds }: Verification): void {
  for (const { text, score, expected } of scores) {
    console.log(`${text.padEnd(10)}  ${score.toFixed(7)}  published ${expected.toFixed(7)}`);
  }
  console.log(`Largest error  ${largestError.toExponential(2)} (at most ${tolerance})`);
  console.log(`Image encoder  ${encodeMilliseconds.toFixed(1)} ms, one thread, WebAssembly`);
}

async function main(): Promise<void> {
  const line = readCommandLine(COMMAND, Deno.args);
  if ("help" in line) return console.log(line.help);
  const result = await run(line.values);
  if (line.values.json) console.log(JSON.stringify(result));
  else print(result);
  if (!(result.largestError <= result.tolerance)) {
    throw new TrainerError("The scores are not those that were published");
  }
}

if (import.meta.main) await main().catch(fail);
