/**
 * The API beside other routes of a Deno server, which use the same classifier.
 *
 *     deno run --allow-read --allow-net --allow-env=PORT examples/deno-server/server.ts
 *     curl --data-binary @photo.jpg http://localhost:8000/evokes/v1/classify
 *     curl -F picture=@one.jpg -F picture=@two.jpg http://localhost:8000/brightest
 */

import { createApp, createWorkerPool } from "@clip-e/edge/deno";
import { Hono } from "hono";
import { fileURLToPath } from "node:url";

// Workers compute, so that this thread stays free to answer.
const classifier = await createWorkerPool({
  bundle: fileURLToPath(new URL("../../fixtures/bundles/tiny", import.meta.url)),
  backend: "wasm",
  workers: 2,
});

const app = new Hono();

app.get("/", (c) => c.text("Send me pictures\n"));

// The whole API, below a path. Its options are those of a server of its own: tokens, limits, a log.
app.mount("/evokes", createApp(classifier, { maxPictures: 4 }).fetch);

// A route of one's own: which of several pictures is the most pleasant?
app.post("/brightest", async (c) => {
  const { picture } = await c.req.parseBody({ all: true });
  const files = [picture].flat().filter((file) => file instanceof File);
  const scores = await Promise.all(files.map(async (file) => {
    const bytes = new Uint8Array(await file.arrayBuffer());
    const { predictions } = await classifier.classify(bytes, { taxonomies: ["polarity"] });
    return predictions[0].scores.find(({ label }) => label === "positive")?.score ?? 0;
  }));
  return c.json({ brightest: files[scores.indexOf(Math.max(...scores))]?.name, scores });
});

Deno.serve({ port: Number(Deno.env.get("PORT") ?? 8000) }, app.fetch);
