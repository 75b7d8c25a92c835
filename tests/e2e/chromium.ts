/**
 * A browser without a window.
 */

import { type Browser, chromium } from "playwright-core";

/** Where Debian has it. */
export const CHROMIUM = "/usr/bin/chromium";

const FLAGS = [
  "--headless",
  "--no-sandbox",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** Whether tests that need it are left out: where machines check the project, a missing part is a failure and no excuse. */
export async function isChromiumMissing(): Promise<boolean> {
  const isThere = await Deno.stat(CHROMIUM).then(() => true, () => false);
  return !isThere && Deno.env.get("CI") !== "true";
}

/**
 * Starts it.
 *
 * @param flags of its command line, beside those that keep it quiet
 */
export function launchChromium(flags: readonly string[] = []): Promise<Browser> {
  return chromium.launch({ executablePath: CHROMIUM, args: [...FLAGS, ...flags] });
}
