/**
 * Where a server's bundle is: in a folder, or behind a URL.
 */

import { type BundleSource, ClipEError } from "@clip-e/shared";
import { httpSource } from "../../http_source.ts";
import { folderSource } from "./folder_source.ts";

/**
 * Tells a URL from a folder.
 *
 * @param location as a user gave it
 */
export function isUrl(location: string): boolean {
  return /^https?:\/\//i.test(location);
}

/**
 * Reads a bundle. One that comes over the network is kept in the runtime's cache, so that the workers of a server fetch it
 * once.
 *
 * @param location a folder's path, or an `http:` or `https:` URL
 * @param digest the expected one of the manifest, `sha256:...`
 * @throws {ClipEError} `invalid-bundle`, when this process may not reach the URL's host
 */
export function bundleSource(location: string, digest?: string): BundleSource {
  if (!isUrl(location)) return folderSource(location);
  const source = httpSource(location, {
    cache: "default",
    ...(digest !== undefined && { digest }),
  });
  checkPermission(new URL(location));
  return source;
}

/** Asks before: a request that is not permitted fails like a network that is down, and would be tried again. */
function checkPermission({ protocol, hostname, port }: URL): void {
  const host = `${hostname}:${port || (protocol === "http:" ? 80 : 443)}`;
  if (Deno.permissions.querySync({ name: "net", host }).state === "granted") return;
  throw new ClipEError(
    "invalid-bundle",
    `Cannot read the bundle from ${host}: this process may not reach it. Permit it with --allow-net=${host}`,
  );
}
