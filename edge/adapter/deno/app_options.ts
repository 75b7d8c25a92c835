/**
 * What the options of a server ask of the app. Whatever is wrong with them is said before a bundle is opened.
 */

import { UsageError } from "@clip-e/shared/command-line";
import { checkOrigins } from "../../app/allow_origins.ts";
import type { AppOptions } from "../../app/app.ts";
import { clientNetwork, forwardedAddress } from "../../app/client_network.ts";
import { createMemoryCache } from "../../app/memory_cache.ts";
import { createRateLimiter } from "../../app/rate_limiter.ts";
import { formatRecord, type LogFormat } from "../../app/request_log.ts";
import { parseTokens } from "../../app/require_token.ts";
import { pageSource } from "./page_source.ts";
import type { StartOptions } from "./start_command.ts";
import { userPath } from "./user_path.ts";

/**
 * Reads the options.
 *
 * @param options as the user gave them
 * @param senderOf the address that a request came from
 * @param env reads an environment variable: tokens may be in one
 * @throws {UsageError} when one cannot be
 */
export async function readAppOptions(
  options: StartOptions,
  senderOf: (request: Request) => string | undefined,
  env: (name: string) => string | undefined = (name) => Deno.env.get(name),
): Promise<AppOptions> {
  const { maxBytes, maxBytesInFlight, maxPictures, maxQueue, uploadTimeout } = options;
  const { corsOrigin, rateLimit, trustProxy, cacheAnswers } = options;
  const tokens = await readTokens(options.tokensFile, env("CLIP_E_TOKENS"));
  const log = readLogFormat(options.log);
  return {
    maxBytes,
    maxBytesInFlight,
    maxPictures,
    maxQueue,
    uploadTimeout,
    corsOrigin: explain("--cors-origin", () => checkOrigins(corsOrigin)),
    ...(tokens && { tokens }),
    ...(rateLimit !== undefined && { rateLimit: limitAddresses(rateLimit, trustProxy, senderOf) }),
    ...(cacheAnswers !== undefined && { answerCache: createMemoryCache({ ttl: cacheAnswers }) }),
    ...(log && { onRequest: (record) => console.log(formatRecord(record, log)) }),
    page: pageSource,
    onError: (error) => console.error(error),
  };
}

async function readTokens(
  file: string | undefined,
  listed: string | undefined,
): Promise<readonly string[] | undefined> {
  if (file === undefined) {
    return listed === undefined
      ? undefined
      : explain("CLIP_E_TOKENS in the environment", () => parseTokens(listed));
  }
  if (listed !== undefined) {
    throw new UsageError("There are tokens in CLIP_E_TOKENS and in a file: give one of the two");
  }
  const text = await Deno.readTextFile(userPath(file)).catch((error) => {
    if (error instanceof Deno.errors.NotCapable) throw error;
    throw new UsageError(`Cannot read the tokens of ${file}: it is no file, or may not be read`);
  });
  return explain(`The tokens of ${file}`, () => parseTokens(text));
}

/** Whatever a value is refused for is the user's to mend. */
function explain<T>(source: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof TypeError) throw new UsageError(`${source}: ${error.message}`);
    throw error;
  }
}

function readLogFormat(name: string): LogFormat | undefined {
  if (name === "json" || name === "text") return name;
  if (name === "none") return undefined;
  throw new UsageError(`--log must be text, json or none, got ${JSON.stringify(name)}`);
}

function limitAddresses(
  perMinute: number,
  trustProxy: boolean,
  senderOf: (request: Request) => string | undefined,
): (request: Request) => Promise<boolean> {
  const mayGoOn = createRateLimiter({ perMinute });
  return (request) => {
    const forwarded = trustProxy ? forwardedAddress(request.headers) : undefined;
    return Promise.resolve(mayGoOn(clientNetwork(forwarded ?? senderOf(request) ?? "")));
  };
}
