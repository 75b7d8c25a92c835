/**
 * ONNX Runtime's native build reports to its maker, unless it is told not to. What it would send it first keeps below the
 * user's folder: nothing may be there.
 */

import assert from "node:assert/strict";
import { isNativeInstalled, unlessInstalled } from "../native_installed.ts";

const ROOT = new URL("../../", import.meta.url);
const CODE = `
  import { openNativeBackend } from "@clip-e/edge/native";
  const model = await Deno.readFile("fixtures/bundles/tiny/encoder.onnx");
  const session = await openNativeBackend().open(model);
  await session.close();
  console.log("closed");
`;

/** Runs the code with a home of its own, and nothing else in its environment that could silence ONNX Runtime. */
async function runAtHome(home: string, ...permissions: string[]) {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-prompt", "--allow-read=.", "--allow-ffi", ...permissions, "-"],
    cwd: ROOT,
    clearEnv: true,
    env: {
      HOME: home,
      PATH: Deno.env.get("PATH") ?? "",
      DENO_DIR: Deno.env.get("DENO_DIR") ?? `${Deno.env.get("HOME")}/.cache/deno`,
      DENO_NO_UPDATE_CHECK: "1",
      NO_COLOR: "1",
    },
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(CODE));
  await writer.close();
  const { stdout, stderr } = await child.output();
  return { said: new TextDecoder().decode(stdout), complaint: new TextDecoder().decode(stderr) };
}

Deno.test({
  name: `openNativeBackend() has ONNX Runtime keep no record of the machine${unlessInstalled}`,
  ignore: !isNativeInstalled,
  async fn() {
    const home = await Deno.makeTempDir({ prefix: "clip_e_home_" });
    try {
      const { said, complaint } = await runAtHome(home, "--allow-env=ORT_DISABLE_TELEMETRY");
      assert.equal(said, "closed\n", complaint);
      assert.deepEqual([...Deno.readDirSync(home)].map(({ name }) => name), []);
    } finally {
      await Deno.remove(home, { recursive: true });
    }
  },
});

Deno.test({
  name: `openNativeBackend() loads nothing that it may not silence${unlessInstalled}`,
  ignore: !isNativeInstalled,
  async fn() {
    const home = await Deno.makeTempDir({ prefix: "clip_e_home_" });
    try {
      const { said, complaint } = await runAtHome(home);
      assert.equal(said, "");
      assert.match(complaint, /would send usage data.*--allow-env=ORT_DISABLE_TELEMETRY/);
    } finally {
      await Deno.remove(home, { recursive: true });
    }
  },
});
