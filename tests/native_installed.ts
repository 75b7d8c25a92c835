/**
 * Whether `deno task native:install` was run, for tests of the native backend.
 */

const folder = new URL("../edge/adapter/deno/native/node_modules", import.meta.url);

/** Tests skip where it was not. */
export const isNativeInstalled: boolean = await Deno.stat(folder).then(() => true, () => false);

/** Ends the name of a test that skips, so that it says why. */
export const unlessInstalled: string = isNativeInstalled
  ? ""
  : " (skipped: deno task native:install was not run)";
