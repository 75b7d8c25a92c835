/**
 * A report on disk: the same experiment as data, as text and as a page.
 */

import { join } from "node:path";
import { TrainerError } from "../errors.ts";
import type { Experiment } from "../evaluation/experiment.ts";
import { reportHtml } from "./report_html.ts";
import { reportMarkdown } from "./report_markdown.ts";

/**
 * Writes `report.json`, `report.md` and `report.html` into a folder. `report.json` is the experiment without its thumbnails:
 * numbers can be kept and shared where pictures may not.
 *
 * @param folder made where there is none; other files in it stay
 * @param experiment with thumbnails, where the page is to show pictures
 * @throws {TrainerError} when it cannot be written; older reports are then as they were
 */
export async function writeReport(folder: string, experiment: Experiment): Promise<void> {
  const files: [name: string, text: string][] = [
    ["report.json", toJson(withoutThumbnails(experiment))],
    ["report.md", reportMarkdown(experiment)],
    ["report.html", await reportHtml(experiment)],
  ];
  const partials = files.map(([name]) => join(folder, `${name}.partial`));
  try {
    await Deno.mkdir(folder, { recursive: true });
    for (const [i, [, text]] of files.entries()) await Deno.writeTextFile(partials[i], text);
    for (const [i, [name]] of files.entries()) {
      await Deno.rename(partials[i], join(folder, name));
    }
  } catch (cause) {
    for (const partial of partials) await Deno.remove(partial).catch(() => {});
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new TrainerError(`Cannot write the report to ${folder}: ${why}`, { cause });
  }
}

function withoutThumbnails(experiment: Experiment): Experiment {
  return {
    ...experiment,
    tasks: experiment.tasks.map((task) => ({
      ...task,
      mistakes: task.mistakes.map(({ thumbnail: _, ...mistake }) => mistake),
    })),
  };
}

/** Indented, but for lists of numbers, which take a line each. Strings hold no line ends that these could be taken for. */
function toJson(value: unknown): string {
  const text = JSON.stringify(value, undefined, 2);
  const numbers = /\[\n\s*(-?[\d.eE+-]+(?:,\n\s*-?[\d.eE+-]+)*)\n\s*\]/g;
  return text.replace(numbers, (_, list: string) => `[${list.replace(/,\n\s*/g, ", ")}]`) + "\n";
}
