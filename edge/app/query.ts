/**
 * The query of `/v1/classify`.
 */

import { z } from "@hono/zod-openapi";
import { ClipEError } from "@clip-e/shared";
import type { ClassifyOptions } from "../plan.ts";

const NAMES = ["taxonomy", "label", "method", "top"];

const top = z.string().regex(/^[1-9]\d{0,8}$/).transform(Number);

/**
 * Reads the query.
 *
 * @param queries every value of every parameter
 * @throws {ClipEError} `invalid-parameter`, naming it; one that does not exist is an error too, since a misspelt one would
 * silently change the answer
 */
export function readQuery(queries: Readonly<Record<string, readonly string[]>>): ClassifyOptions {
  refuseQuery(queries, NAMES);
  const single = (name: string) => {
    const values = queries[name] ?? [];
    if (values.length <= 1) return values[0];
    throw new ClipEError("invalid-parameter", `The parameter ${name} is given more than once`);
  };
  const method = single("method");
  const topText = single("top");
  const parsedTop = topText === undefined ? undefined : top.safeParse(topText);
  if (parsedTop && !parsedTop.success) {
    throw new ClipEError("invalid-parameter", "The parameter top must be a whole number from 1");
  }
  return {
    ...(queries.taxonomy && { taxonomies: queries.taxonomy }),
    ...(queries.label && { labels: queries.label }),
    ...(method !== undefined && { method }),
    ...(parsedTop && { top: parsedTop.data }),
  };
}

/**
 * Refuses parameters that do not exist.
 *
 * @param queries every value of every parameter
 * @param names those that do
 * @throws {ClipEError} `invalid-parameter`, naming one
 */
export function refuseQuery(
  queries: Readonly<Record<string, readonly string[]>>,
  names: readonly string[] = [],
): void {
  const unknown = Object.keys(queries).find((name) => !names.includes(name));
  if (unknown === undefined) return;
  const known = names.length > 0 ? names.join(", ") : "none";
  throw new ClipEError(
    "invalid-parameter",
    `There is no parameter ${JSON.stringify(unknown.slice(0, 40))}: there are ${known}`,
  );
}
