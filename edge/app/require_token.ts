/**
 * Bearer tokens (RFC 6750): who may ask at all.
 */

import { ClipEError } from "@clip-e/shared";
import type { MiddlewareHandler } from "hono";
import { bearerAuth } from "hono/bearer-auth";

/** RFC 6750, 2.1: what a header can carry. */
const TOKEN = /^[\w.~+/-]+=*$/;

/**
 * Lets requests on that carry one of the tokens. Hono compares digests in constant time.
 *
 * @param tokens at least one
 * @throws {TypeError} when there is none, or one could never be sent
 */
export function requireToken(tokens: readonly string[]): MiddlewareHandler {
  const refuse = (why: string) => ({
    message: (): never => {
      throw new ClipEError("unauthorized", `${why}: send the header Authorization: Bearer TOKEN`);
    },
  });
  return bearerAuth({
    token: [...checkTokens(tokens)],
    noAuthenticationHeader: refuse("The request carries no token"),
    invalidAuthenticationHeader: refuse("The Authorization header holds no bearer token"),
    invalidToken: refuse("The token is not one that is accepted"),
  });
}

/**
 * Reads tokens from a file's text or an environment variable.
 *
 * @param text one to a line, or with commas between them; lines that start with `#` are comments
 * @throws {TypeError} when there is none, or one could never be sent
 */
export function parseTokens(text: string): readonly string[] {
  const lines = text.split(/\r?\n/).filter((line) => !line.trimStart().startsWith("#"));
  const words = lines.flatMap((line) => line.split(",")).map((word) => word.trim());
  return checkTokens(words.filter((word) => word !== ""));
}

/** An empty list would shut everyone out; that is not what anyone means by it. No message holds a token. */
function checkTokens(tokens: readonly string[]): readonly string[] {
  if (tokens.length === 0) throw new TypeError("Cannot ask for tokens: the list of them is empty");
  const wrong = tokens.findIndex((token) => !TOKEN.test(token));
  if (wrong < 0) return tokens;
  throw new TypeError(
    `Cannot ask for tokens: number ${wrong + 1} is empty or has a character that none may have ` +
      "(letters, digits and -._~+/ may be in one, and = at its end)",
  );
}
