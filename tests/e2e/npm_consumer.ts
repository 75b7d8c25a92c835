/**
 * Code that uses every entry of the npm package, for the type checker alone: the package's declarations must say the same to
 * TypeScript as the modules do to Deno.
 */

import { createApp, createClassifier, httpSource, type Prediction } from "@clip-e/edge";
import { createBrowserClassifier } from "@clip-e/edge/browser";
import "@clip-e/edge/browser-worker";
import { ApiError, type Client, createClient } from "@clip-e/edge/client";
import { createClassifier as createNodeClassifier, folderSource } from "@clip-e/edge/node";
import { createHandler, type Env, type WasmModules } from "@clip-e/edge/worker";
import { readFile } from "node:fs/promises";

/** What a picture on disk evokes. */
export async function classifyFile(file: string): Promise<readonly Prediction[]> {
  const classifier = await createNodeClassifier({ bundle: folderSource("bundle") });
  const { predictions } = await classifier.classify(new Uint8Array(await readFile(file)), {
    top: 1,
  });
  return predictions;
}

/** The label that goes with a score: anything but a text is a fault. */
export function bestLabel([{ scores }]: readonly Prediction[]): string {
  // @ts-expect-error: it is a text.
  const label: number = scores[0].label;
  return String(label);
}

/** A server. */
export async function serve(request: Request): Promise<Response> {
  const source = httpSource("https://models.example.com/clip-e/", { cache: "default" });
  const app = createApp(await createClassifier({ bundle: source }), { tokens: ["secret"] });
  return await app.fetch(request);
}

/** A Worker. */
export function handle(modules: WasmModules, request: Request, env: Env): Promise<Response> {
  return createHandler(modules).fetch(request, env);
}

/** A page. */
export async function classifyInPage(picture: Blob): Promise<readonly Prediction[]> {
  const classifier = await createBrowserClassifier({ bundle: "/bundle/", worker: "/worker.js" });
  const bytes = new Uint8Array(await picture.arrayBuffer());
  return (await classifier.classify(bytes)).predictions;
}

/** A caller of a server. */
export async function callServer(picture: Blob): Promise<readonly Prediction[] | string> {
  const client: Client = createClient({ url: "https://clip-e.example.com" });
  try {
    return (await client.classify(picture, { taxonomies: ["polarity"] })).predictions;
  } catch (error) {
    if (error instanceof ApiError) return error.code;
    throw error;
  }
}
