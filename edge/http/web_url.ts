/**
 * Addresses on the web, as callers write them.
 */

/**
 * Reads an address.
 *
 * @param url absolute; in a page, also relative to it
 * @returns `undefined`, where it is not one of `http:` or `https:`
 */
export function parseWebUrl(url: string | URL): URL | undefined {
  const text = String(url);
  // Elsewhere than in a page `location` may be anything: a decoder's generated code leaves one without an address.
  const { location } = globalThis as { readonly location?: { readonly href?: string } };
  for (const page of [undefined, location?.href]) {
    if (!URL.canParse(text, page)) continue;
    const absolute = new URL(text, page);
    return /^https?:$/.test(absolute.protocol) ? absolute : undefined;
  }
  return undefined;
}
