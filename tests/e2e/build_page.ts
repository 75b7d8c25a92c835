/**
 * What the page computes with in its visitor's browser, made as `deno task page:build` makes it: the tasks that need it do so
 * by themselves, but for tests, which start commands without what `deno task` does before.
 */

import { runTask } from "./task_command.ts";

/**
 * Makes it, where anything has changed.
 *
 * @throws {Error} with what was said, when it cannot be made
 */
export async function buildPage(): Promise<void> {
  const { code, stderr } = await runTask("page:build", []);
  if (code !== 0) throw new Error(`The page was not built: ${stderr}`);
}

let updated: Promise<unknown> | undefined;

/** Makes it once for all servers of a test file, as `deno task start` does before one: a server serves without it, too. */
export async function updatePage(): Promise<void> {
  await (updated ??= runTask("page:update", []));
}
