/**
 * Paths on command lines. A task runs in the project's folder, wherever its user stands; Deno says where in `INIT_CWD`.
 */

import { resolve } from "node:path";
import { isUrl } from "./bundle_source.ts";

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
  value: "DIR|URL",
  env: "CLIP_E_BUNDLE",
  help: "The bundle's folder, or its http: or https: URL, instead of the embedded one",
} as const;

/**
 * The bundle's folder.
 *
 * @param given the option's value, if any
 * @returns an absolute path; without a value, that of the bundle which the project carries
 */
export function bundleFolder(given: string | undefined): string {
  return given === undefined ? projectPath("fixtures/bundles/nano") : userPath(given);
}

/**
 * Where the bundle of a server is.
 *
 * @param given the option's value, if any
 * @returns a URL as it was given, or the folder's absolute path
 */
export function bundleLocation(given: string | undefined): string {
  return given !== undefined && isUrl(given) ? given : bundleFolder(given);
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
