/**
 * Paths as the user means them. `deno task` runs commands in the project's root, wherever it is called, and gives the
 * caller's folder as `INIT_CWD`.
 */

import { resolve } from "node:path";

/**
 * The absolute path of what a user names.
 *
 * @param path relative to the folder that the user is in, or absolute
 */
export function userPath(path: string): string {
  return resolve(Deno.env.get("INIT_CWD") ?? Deno.cwd(), path);
}

/**
 * The same for a data set, whose path stands behind its form.
 *
 * @param spec `csv:FILE` or `folder:DIR`; anything else stays as it is, for its reader to refuse
 */
export function userDataset(spec: string): string {
  return spec.replace(/^(csv:|folder:)(.+)$/s, (_, form, path) => form + userPath(path));
}
