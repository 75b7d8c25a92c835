/**
 * The bundle itself, for callers that compute on their own device: the files that its manifest names, and nothing else.
 */

import {
  type BundleSource,
  ClipEError,
  filesOf,
  type Manifest,
  MANIFEST_PATH,
  readManifest,
} from "@clip-e/shared";
import type { Hono } from "hono";
import { type AnsweredFile, answerFile } from "./file_answer.ts";
import type { AppEnv } from "./request_record.ts";

const FOLDER = "/v1/bundle/";

/**
 * Adds the bundle's route.
 *
 * @param app to add to
 * @param source where the bundle is
 * @param digest of the manifest that the classifier answers by; another is not given away in its name
 * @param onError hears why a file cannot be had, which may name the server's own places: callers hear that it cannot
 */
export function serveBundle(
  app: Hono<AppEnv>,
  source: BundleSource,
  digest: string,
  onError: (error: unknown) => void,
): void {
  let opening: Promise<ReadonlyMap<string, AnsweredFile>> | undefined;
  const open = () =>
    opening ??= openFiles(source, digest).catch((error) => {
      opening = undefined;
      throw error;
    });
  app.get(`${FOLDER}*`, async (c) => {
    try {
      const file = (await open()).get(readPath(c.req.path));
      return file ? await answerFile(c, file) : c.notFound();
    } catch (error) {
      onError(error);
      throw new ClipEError(
        "invalid-bundle",
        "The bundle's file cannot be read; the server's log says why",
      );
    }
  });
}

/** The part of a URL's path behind the folder; one that is not UTF-8 names no file. */
function readPath(path: string): string {
  try {
    return decodeURIComponent(path.slice(FOLDER.length));
  } catch {
    return "";
  }
}

async function openFiles(
  source: BundleSource,
  digest: string,
): Promise<ReadonlyMap<string, AnsweredFile>> {
  const bytes = await source.read(MANIFEST_PATH);
  const { manifest } = await readManifest({ ...source, read: () => Promise.resolve(bytes) }, {
    digest,
  });
  const files = new Map<string, AnsweredFile>();
  for (const { path, bytes, sha256 } of namedFiles(manifest)) {
    files.set(path, {
      type: "application/octet-stream",
      etag: `"${sha256}"`,
      bytes,
      open: async (start) =>
        source.stream
          ? await source.stream(path, start)
          : (await source.read(path))?.subarray(start),
    });
  }
  return files.set(MANIFEST_PATH, {
    type: "application/json",
    etag: `"${digest.replace(/^sha256:/, "")}"`,
    bytes: bytes?.length ?? 0,
    open: (start) => Promise.resolve(bytes?.subarray(start)),
  });
}

function namedFiles(manifest: Manifest) {
  return [...filesOf(manifest), ...(manifest.modelCard ? [manifest.modelCard] : [])];
}
