import assert from "node:assert/strict";
import { readCommandLine } from "@clip-e/shared/command-line";
import { openBrowserMode } from "../../edge/adapter/deno/browser_mode.ts";
import { START_COMMAND } from "../../edge/adapter/deno/start_command.ts";

function readOptions(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const line = readCommandLine(START_COMMAND, args, (name) => env[name]);
  assert.ok("values" in line);
  return line.values;
}

Deno.test("openBrowserMode() gives callers the bundle that is served, unless its owner says no", async () => {
  const { bundle, browser } = await openBrowserMode(readOptions([]), () => {});
  assert.ok(await bundle?.read("manifest.json"));
  assert.ok(browser);
  const refused: (readonly [string[], Record<string, string>])[] = [
    [["--no-browser"], {}],
    [[], { CLIP_E_NO_BROWSER: "true" }],
  ];
  for (const [args, env] of refused) {
    const options = readOptions(args, env);
    assert.deepEqual(await openBrowserMode(options, () => assert.fail("no line")), {});
  }
});
