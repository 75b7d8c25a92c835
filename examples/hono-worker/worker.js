/**
 * A Worker of one's own, made with Hono, and the API below one of its paths.
 *
 *     deno task worker:assets     # the bundle, as static assets
 *     deno task worker:wrangler dev -c examples/hono-worker/wrangler.jsonc
 *     curl --data-binary @photo.jpg http://localhost:8787/evokes/v1/classify
 *
 * It is JavaScript because a Worker imports WebAssembly as modules, which means something else to other runtimes.
 */

import { createHandler } from "@clip-e/edge/worker";
import jpeg from "@jsquash/jpeg/codec/dec/mozjpeg_dec.wasm";
import png from "@jsquash/png/codec/pkg/squoosh_png_bg.wasm";
import webp from "@jsquash/webp/codec/dec/webp_dec.wasm";
import { Hono } from "hono";
import ort from "onnxruntime-web/ort-wasm-simd-threaded.wasm";

const app = new Hono();

app.get("/", (c) => c.text("Send me pictures\n"));

// It opens the bundle when the first picture comes, with the bindings and variables that docs/deploy.md lists.
app.mount("/evokes", createHandler({ ort, jpeg, png, webp }).fetch);

export default app;
