/**
 * Paths on command lines. A task runs in the project's folder, wherever its user stands; Deno says where in `INIT_CWD`.
 */

import { resolve } from "node:path";

const PROJECT = resolve(import.meta.dirname ?? ".", "../../..");

/**
 * A path within the project, wherever it lies.
 *
 * @param path relative to its root
 */
export function projectPath(path: string): string {
  return resolve(PROJECT, path);
}

/** The bundle that the project carries. */
export const EMBEDDED_BUNDLE: string = projectPath("fixtures/bundles/tiny");

/**
 * Resolves a path from where the user stands.
 *
 * @param path as on the command line
 * @returns an absolute path
 */
export function userPath(path: string): string {
  return resolve(Deno.env.get("INIT_CWD") ?? Deno.cwd(), path);
}
