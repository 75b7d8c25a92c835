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

/** The option that names a bundle. */
export const BUNDLE_FLAG = {
  kind: "string",
  value: "DIR",
  env: "CLIP_E_BUNDLE",
  help: "The bundle's folder, instead of the embedded one",
} as const;

/**
 * The bundle's folder.
 *
 * @param given the option's value, if any
 * @returns an absolute path; without a value, that of the bundle which the project carries
 */
export function bundleFolder(given: string | undefined): string {
  return given === undefined ? projectPath("fixtures/bundles/tiny") : userPath(given);
}

/**
 * Resolves a path from where the user stands.
 *
 * @param path as on the command line
 * @returns an absolute path
 */
export function userPath(path: string): string {
  return resolve(Deno.env.get("INIT_CWD") ?? Deno.cwd(), path);
}
