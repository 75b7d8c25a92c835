/**
 * Scripts and WebAssembly with which a page computes in its visitor's browser. They lie packed by gzip, as a host of static
 * files may not take them otherwise, with a list of them beside.
 */

import type { Context, Hono } from "hono";
import { isKnown } from "./file_answer.ts";
import type { PageSource } from "./page.ts";
import type { AppEnv } from "./request_record.ts";

/** The list: what each file is called, without the ending that says that it is packed. */
export const BROWSER_FILES = "files.json";

/** Of each file, by its name. */
export type BrowserFiles = Readonly<
  Record<string, {
    /** Its length, unpacked. */
    readonly bytes: number;
    /** Its length, packed. */
    readonly packed: number;
    /** Of the unpacked file, hexadecimal. */
    readonly sha256: string;
  }>
>;

const FOLDER = "/browser/";

const TYPES: Readonly<Record<string, string>> = {
  js: "text/javascript; charset=utf-8",
  wasm: "application/wasm",
};

/**
 * Adds the route of what browsers compute with.
 *
 * @param app to add to
 * @param source where the list is, and each file, with `.gz` behind its name
 */
export function serveBrowser(app: Hono<AppEnv>, source: PageSource): void {
  app.get(`${FOLDER}*`, async (c) => {
    const name = c.req.path.slice(FOLDER.length);
    const list = await source.read(BROWSER_FILES);
    if (!list) return c.notFound();
    if (name === BROWSER_FILES) {
      return c.body(list, 200, {
        "Content-Type": "application/json",
        "Cache-Control": "no-cache",
      });
    }
    const files: BrowserFiles = JSON.parse(new TextDecoder().decode(list));
    if (!Object.hasOwn(files, name)) return c.notFound();
    return await answerPacked(c, source, name, files[name]) ?? c.notFound();
  });
}

async function answerPacked(
  c: Context<AppEnv>,
  source: PageSource,
  name: string,
  { bytes, packed, sha256 }: BrowserFiles[string],
): Promise<Response | undefined> {
  // Weak: packed or not, it is the same file (RFC 9110, 8.8.1).
  const known = { "ETag": `W/"${sha256}"`, "Cache-Control": "no-cache", "Vary": "Accept-Encoding" };
  if (isKnown(c.req.header("If-None-Match"), known.ETag)) return c.body(null, 304, known);
  const stream = await openStream(source, `${name}.gz`);
  if (!stream) return undefined;
  const isPacked = takesGzip(c.req.header("Accept-Encoding"));
  const headers = {
    ...known,
    "Content-Type": TYPES[name.slice(name.lastIndexOf(".") + 1)] ?? "application/octet-stream",
    "Content-Length": String(isPacked ? packed : bytes),
    ...(isPacked && { "Content-Encoding": "gzip" }),
  };
  if (c.req.method === "HEAD") {
    await stream.cancel();
    return c.body(null, 200, headers);
  }
  const body = isPacked ? stream : stream.pipeThrough(new DecompressionStream("gzip"));
  // workerd packs a body itself, unless it is told that it is packed.
  return new Response(body, { headers, encodeBody: "manual" } as ResponseInit);
}

async function openStream(
  source: PageSource,
  name: string,
): Promise<ReadableStream<Uint8Array<ArrayBuffer>> | undefined> {
  if (source.stream) return await source.stream(name, 0);
  const bytes = await source.read(name);
  return bytes && new Blob([bytes]).stream();
}

/** Whether `Accept-Encoding` names gzip and does not forbid it (RFC 9110, 12.5.3). */
function takesGzip(header = ""): boolean {
  return header.split(",").some((coding) => {
    const [name, ...parameters] = coding.toLowerCase().split(";").map((part) => part.trim());
    return name === "gzip" && !parameters.some((parameter) => /^q=0(\.0*)?$/.test(parameter));
  });
}
