/**
 * What lets the page compute in its visitor's browser: the bundle, and the scripts that `deno task page:build` makes.
 */

import type { AppOptions } from "../../app/app.ts";
import { BROWSER_FILES } from "../../app/serve_browser.ts";
import { bundleSource } from "./bundle_source.ts";
import { browserSource } from "./page_source.ts";
import type { StartOptions } from "./start_command.ts";
import { bundleLocation } from "./user_path.ts";

/**
 * Opens it, where the operator has nothing against it.
 *
 * @param options which bundle
 * @param warn hears when the scripts are not there: the server serves without them
 * @throws {ClipEError} as `bundleSource` does
 */
export async function openBrowserMode(
  { bundle, digest, noBrowser }: StartOptions,
  warn: (line: string) => void,
): Promise<Pick<AppOptions, "bundle" | "browser">> {
  if (noBrowser) return {};
  if (!await browserSource.read(BROWSER_FILES)) {
    warn("The page computes on this server alone: deno task page:build makes what browsers need");
  }
  return { bundle: bundleSource(bundleLocation(bundle), digest), browser: browserSource };
}
