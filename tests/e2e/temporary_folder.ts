/**
 * Folders for a test's files, inside the project, since its tasks may read nothing else.
 */

import { ROOT } from "./task_command.ts";

/** A folder that goes when the test does. */
export interface TemporaryFolder {
  /** Relative to the project, as a user would write it. */
  readonly path: string;
  /** Where it is. */
  readonly url: URL;
  /** Removes it with all that is in it. */
  remove(): Promise<void>;
}

/**
 * Makes a folder under `.cache/`, which git does not see.
 *
 * @param prefix of its name
 */
export async function makeTemporaryFolder(prefix: string): Promise<TemporaryFolder> {
  const path = `.cache/tests/${prefix}_${crypto.randomUUID()}`;
  const url = new URL(`${path}/`, ROOT);
  await Deno.mkdir(url, { recursive: true });
  return { path, url, remove: () => Deno.remove(url, { recursive: true }) };
}
