/**
 * What a log says of a model when it begins to serve: parts that are not in use, and who serves in the place of an encoder
 * that did not prove itself.
 */

import type { ModelInfo } from "./model_info.ts";

/**
 * Tells of a model's faults.
 *
 * @param model as it is served
 * @returns a line for each; none where all is well
 */
export function describeFaults({ faults, encoder }: ModelInfo): string[] {
  const lines = faults.map(({ part, fault, detail }) => `${fault} ${part}: ${detail}`);
  if (!faults.some(({ part }) => part.startsWith("encoders/"))) return lines;
  const { file, precision, backend } = encoder;
  return [...lines, `A fallback serves: ${file} (${precision}), on the backend ${backend}`];
}
