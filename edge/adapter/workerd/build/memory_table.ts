/**
 * A Worker's memory for people: where it goes, and the limits that follow.
 */

import type { MemoryBudget } from "../memory_budget.ts";

/**
 * Tells of a budget.
 *
 * @param budget of a bundle
 */
export function formatBudget(budget: MemoryBudget): string {
  const { isolate, script, runtime, models, whileLoading, left } = budget;
  return [
    `Memory of an isolate: ${mb(isolate)}`,
    `  the Worker itself ${mb(script)}, ONNX Runtime ${mb(runtime)}`,
    ...models.map(({ name, bytes, heap }) => `  ${name} ${mb(heap)} (its files: ${mb(bytes)})`),
    `  while the bundle is loaded ${mb(whileLoading)}, left afterwards ${mb(left)}`,
    `Limits: pictures of ${(budget.maxPixels / 1e6).toFixed(1)} megapixels, uploads of ${
      mb(budget.maxBytes)
    }, ${mb(budget.maxBytesInFlight)} of uploads at once`,
  ].join("\n");
}

const mb = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`;
