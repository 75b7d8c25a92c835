/**
 * A fetch handler without a framework: how pleasant is the picture that was posted?
 *
 *     deno serve --allow-read examples/plain-fetch/server.ts
 *     curl --data-binary @photo.jpg http://localhost:8000
 *
 * It computes in the thread that answers. `createApp` would add limits on uploads and waiting, and everything else.
 */

import { ClipEError, createClassifier, folderSource } from "@clip-e/edge/deno";

const bundle = new URL("../../fixtures/bundles/tiny", import.meta.url);
const classifier = await createClassifier({ bundle: folderSource(bundle) });

async function answer(request: Request): Promise<Response> {
  if (request.method !== "POST") return new Response("POST a picture\n", { status: 405 });
  try {
    const picture = new Uint8Array(await request.arrayBuffer());
    const { predictions } = await classifier.classify(picture, { taxonomies: ["polarity"] });
    const pleasant = predictions[0].scores.find(({ label }) => label === "positive");
    return Response.json({ pleasant: pleasant?.score });
  } catch (error) {
    if (!(error instanceof ClipEError)) throw error;
    return Response.json({ code: error.code, message: error.message }, { status: 422 });
  }
}

export default { fetch: answer } satisfies Deno.ServeDefaultExport;
