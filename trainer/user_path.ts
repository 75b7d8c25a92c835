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
 * @param spec such as `csv:FILE`; what has no form stays as it is, for its reader to refuse
 */
export function userDataset(spec: string): string {
  return spec.replace(/^([a-z0-9-]+:)(.+)$/s, (_, form, path) => form + userPath(path));
}

/**
 * A folder for what can be made again: where the user says, or in the project's root, which tasks run in.
 *
 * @param given by the user
 * @param name of the project's own, below `.cache`
 */
export function cachePath(given: string | undefined, name: string): string {
  return given === undefined ? resolve(".cache", name) : userPath(given);
}
