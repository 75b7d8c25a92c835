/**
 * Runs wrangler, as the task `worker:wrangler` names it: the one place that says which version.
 */

import { ClipEError } from "@clip-e/shared";
import { projectPath } from "../../deno/user_path.ts";

/**
 * Runs wrangler to its end.
 *
 * @param args what it is to do
 * @param isShown whether people see what it says; otherwise it is shown only if it fails
 * @throws {ClipEError} `internal`, when it fails
 */
export async function runWrangler(args: readonly string[], isShown: boolean): Promise<void> {
  const stream = isShown ? "inherit" : "piped";
  const command = new Deno.Command(Deno.execPath(), {
    args: ["task", "--quiet", "worker:wrangler", ...args],
    cwd: projectPath("."),
    stdin: isShown ? "inherit" : "null",
    stdout: stream,
    stderr: stream,
  });
  const output = await command.output();
  if (output.success) return;
  if (!isShown) {
    await Deno.stderr.write(output.stdout);
    await Deno.stderr.write(output.stderr);
  }
  throw new ClipEError("internal", `wrangler ${args[0]} failed; what it said stands above`);
}
