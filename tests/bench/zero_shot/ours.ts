/**
 * The project as its users call it: a bundle that `deno task build` made, and `createClassifier()`.
 */

import { createClassifier } from "@clip-e/edge";
import { folderSource, openNativeBackend, openNativeDecoder } from "@clip-e/edge/deno";
import { runTask } from "../../e2e/task_command.ts";
import { type Contender, type Setup, timed } from "./contender.ts";
import { HUNDRED } from "./label_sets.ts";

/**
 * Builds a bundle of a model, with prompts for all labels.
 *
 * @param folder where it goes
 * @param model the model's folder
 * @throws {Error} with what the command says, when it fails
 */
export async function buildBundle(folder: string, model: string): Promise<void> {
  const { id, title, labels } = HUNDRED;
  const file = `${folder}.labels.json`;
  const prompted = labels.map(({ id, title, prompt }) => ({ id, title, prompts: prompt }));
  await Deno.writeTextFile(file, JSON.stringify({ id, title, labels: prompted }));
  const args = ["--model", model, "--out", folder, "--labels", file];
  const { code, stderr } = await runTask("build", args);
  if (code !== 0) throw new Error(`Cannot build the bundle: ${stderr}`);
}

/** Opens the bundle. */
export async function openOurs({ folder, backend, threads }: Setup): Promise<Contender> {
  const classifier = await createClassifier({
    bundle: folderSource(`${folder}/bundle`),
    ...(backend === "native" && {
      backends: [openNativeBackend({ threads })],
      decode: openNativeDecoder(),
    }),
  });
  return {
    prepare({ id }) {
      const options = { taxonomies: [id] };
      return Promise.resolve(timed(async (bytes) => {
        const { predictions, timings } = await classifier.classify(bytes, options);
        return { scores: predictions[0].scores, parts: timings };
      }));
    },
  };
}
