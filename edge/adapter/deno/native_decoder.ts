/**
 * sharp's decoders, for servers: machine code that lies beside the native backend and is installed with it
 * (`deno task native:install`).
 */

import { createRequire } from "node:module";
import { ClipEError } from "@clip-e/shared";
import { createDecoders, type DecoderModules } from "../../decode/decoders.ts";
import { createSharpDecoder, type Decode, type Sharp } from "../../decode/sharp_decoder.ts";

/** What is set for the whole program. */
interface SharpPackage extends Sharp {
  cache(keep: false): unknown;
  concurrency(threads: number): number;
}

/**
 * Loads `sharp`, from the folder that `deno task native:install` fills or from the application's own dependencies. One
 * thread decodes a picture, and nothing is kept of it.
 *
 * @param modules the WebAssembly decoders, for pictures that sharp finds fault with; by default, from their packages
 * @throws {ClipEError} in a sentence that says how to install or permit it
 */
export function openNativeDecoder(modules?: DecoderModules): Decode {
  const sharp = load();
  sharp.concurrency(1);
  sharp.cache(false);
  return createSharpDecoder(sharp, createDecoders(modules));
}

function load(): SharpPackage {
  try {
    return createRequire(new URL("./native/deno.json", import.meta.url))("sharp");
  } catch (cause) {
    const why = cause instanceof Error ? cause.message.split("\n")[0] : String(cause);
    throw new ClipEError(
      "internal",
      `The native decoder cannot be loaded: ${why}. Install it with deno task native:install and permit what it asks for`,
      { cause },
    );
  }
}
