/**
 * `deno task classify`: says what pictures on disk evoke.
 */

import { ClipEError } from "@clip-e/shared";
import { type FlagValues, readCommandLine, UsageError } from "@clip-e/shared/command-line";
import { type Problem, toProblem } from "../../app/problem.ts";
import { type Classification, type Classifier, createClassifier } from "../../classifier.ts";
import { describeFaults } from "../../fault_notes.ts";
import type { ModelInfo } from "../../model_info.ts";
import { bundleSource } from "./bundle_source.ts";
import { BACKEND_FLAG, readBackendChoice } from "./choose_backends.ts";
import { chooseRuntime } from "./choose_runtime.ts";
import { fail } from "./fail.ts";
import { BUNDLE_FLAG, bundleLocation, userPath } from "./user_path.ts";

const COMMAND = {
  name: "deno task classify",
  positionals: "PICTURE...",
  description: "Says what pictures evoke in people who look at them. - reads a picture from stdin.",
  flags: {
    bundle: BUNDLE_FLAG,
    backend: BACKEND_FLAG,
    taxonomy: { kind: "string", value: "ID,...", help: "Which taxonomies, instead of all" },
    method: { kind: "string", value: "NAME", default: "auto", help: "Which method, or all" },
    top: { kind: "integer", min: 1, help: "How many labels of each taxonomy, instead of all" },
    json: { kind: "boolean", help: "Print JSON, one object to a line, in place of tables" },
  },
} as const;

type Options = FlagValues<typeof COMMAND.flags>;

type Outcome = Pick<Classification, "image" | "predictions"> | { readonly error: Problem };

async function classify(
  classifier: Classifier,
  file: string,
  { taxonomy, method, top }: Options,
): Promise<Outcome> {
  try {
    const { image, predictions } = await classifier.classify(await readPicture(file), {
      method,
      ...(taxonomy !== undefined && { taxonomies: taxonomy.split(",") }),
      ...(top !== undefined && { top }),
    });
    return { image, predictions };
  } catch (error) {
    // A picture's own fault is told and the next one has its turn; anything else ends the program.
    if (error instanceof ClipEError) return { error: toProblem(error) };
    throw error;
  }
}

async function readPicture(file: string): Promise<Uint8Array<ArrayBuffer>> {
  if (file === "-") return new Uint8Array(await new Response(Deno.stdin.readable).arrayBuffer());
  try {
    return await Deno.readFile(userPath(file));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) {
      throw new ClipEError("no-picture", `There is no file ${file}`, { cause: error });
    }
    if (error instanceof Deno.errors.IsADirectory) {
      throw new ClipEError("no-picture", `${file} is a folder`, { cause: error });
    }
    if (error instanceof Deno.errors.PermissionDenied) {
      throw new ClipEError("no-picture", `${file} may not be read`, { cause: error });
    }
    throw error;
  }
}

const BAR_LENGTH = 24;

function printTable(file: string, outcome: Outcome, model: ModelInfo): void {
  if ("error" in outcome) return console.log(`${file}\n  error: ${outcome.error.detail}\n`);
  const { image, predictions } = outcome;
  console.log(`${file}  ${image.width} x ${image.height}`);
  for (const { taxonomy, method, degraded, scores } of predictions) {
    const info = model.taxonomies.find(({ id }) => id === taxonomy);
    const note = degraded ? ", degraded: a better method failed its check" : "";
    console.log(`  ${info?.title ?? taxonomy} (${method}${note})`);
    const rows = scores.map(({ label, score }) => ({
      title: info?.labels.find(({ id }) => id === label)?.title ?? label,
      score,
    }));
    const width = Math.max(...rows.map(({ title }) => title.length));
    for (const { title, score } of rows) {
      const bar = "█".repeat(Math.round(score * BAR_LENGTH)).padEnd(BAR_LENGTH, "░");
      console.log(`    ${title.padEnd(width)}  ${bar}  ${(score * 100).toFixed(1).padStart(5)} %`);
    }
  }
  console.log();
}

async function main(): Promise<void> {
  const line = readCommandLine(COMMAND, Deno.args, (name) => Deno.env.get(name));
  if ("help" in line) return console.log(line.help);
  const { values, positionals } = line;
  if (positionals.length === 0) throw new UsageError("Name at least one picture");
  const classifier = await createClassifier({
    bundle: bundleSource(bundleLocation(values.bundle)),
    ...await chooseRuntime(readBackendChoice(values.backend)),
  });
  const { model } = classifier;
  for (const line of describeFaults(model)) console.warn(line);
  let failures = 0;
  for (const file of positionals) {
    const outcome = await classify(classifier, file, values);
    if ("error" in outcome) failures++;
    if (values.json) {
      const head = { file, model: { name: model.name, bundle: model.bundle } };
      console.log(JSON.stringify({ ...head, ...outcome }));
    } else printTable(file, outcome, model);
  }
  await classifier.close();
  if (failures > 0) Deno.exit(1);
}

if (import.meta.main) await main().catch(fail);
