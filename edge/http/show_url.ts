/**
 * URLs as errors show them: a user's name, a password and a query, which may hold a signature, stay secret.
 */

/**
 * A URL without what may be secret.
 *
 * @param url absolute
 */
export function showUrl(url: URL): string {
  return url.origin + url.pathname;
}

/**
 * A text with every URL in it shown without what may be secret; runtimes put whole URLs in their errors.
 *
 * @param text such as an error's message
 */
export function hideSecrets(text: string): string {
  return text.replace(/\bhttps?:\/\/[^\s()'"<>]+/g, (url) => {
    return URL.canParse(url) ? showUrl(new URL(url)) : "a URL";
  });
}
