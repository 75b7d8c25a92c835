/**
 * The app around a classifier that looks at a picture's first byte alone, so that tests of HTTP need no bundle.
 */

import { ClipEError } from "@clip-e/shared";
import { type AppOptions, createApp, type EdgeApp } from "../../edge/app/app.ts";
import type { Classification, Classifier } from "../../edge/classifier.ts";
import type { ModelInfo } from "../../edge/model_info.ts";

/** A model that serves polarity. */
export const MODEL: ModelInfo = {
  name: "test",
  bundle: "sha256:0",
  embeddingSpace: { id: "test", size: 2 },
  encoder: { file: "encoder", precision: "float32", backend: "wasm", crop: 32 },
  taxonomies: [{
    id: "polarity",
    title: "Polarity",
    labels: [{ id: "negative", title: "Negative" }, { id: "positive", title: "Positive" }],
    methods: [{ method: "zero-shot", temperature: 1, normalization: "softmax", available: true }],
  }],
  faults: [],
  provenance: {},
  license: "MIT",
};

const NO_TIME = { decode: 0, preprocess: 0, encode: 0, score: 0 };

/** What a picture of one byte is answered: its byte is its width, and 0 is a failure of the program. */
export function classify(picture: Uint8Array): Promise<Classification> {
  if (picture[0] === 0) return Promise.reject(new TypeError("secret: /etc/passwd at line.ts:1:1"));
  if (picture[0] === 1) {
    return Promise.reject(new ClipEError("truncated", "The picture is cut off"));
  }
  const image = { width: picture[0], height: 1 };
  return Promise.resolve({ image, predictions: [], timings: { ...NO_TIME, encode: picture[0] } });
}

/**
 * Makes an app of a classifier that computes nothing.
 *
 * @param options of the app
 * @param classifier what is otherwise in it
 */
export function makeApp(options: AppOptions = {}, classifier: Partial<Classifier> = {}): EdgeApp {
  return createApp({
    model: MODEL,
    concurrency: 1,
    classify,
    embed: (picture) =>
      Promise.resolve({
        image: { width: picture[0], height: 1 },
        embedding: Float32Array.of(0.5, 0.25),
        timings: NO_TIME,
      }),
    score: (embedding) =>
      Promise.resolve([{
        taxonomy: "polarity",
        method: "zero-shot",
        normalization: "softmax",
        scores: [{ label: "positive", score: embedding[0] }],
      }]),
    close: () => Promise.resolve(),
    ...classifier,
  }, options);
}

/** A request to the app. */
export function request(path: string, init: RequestInit = {}): Request {
  return new Request(`http://localhost${path}`, init);
}

/** A request of one picture, or of several. */
export function upload(...bytes: number[]): RequestInit {
  if (bytes.length === 1) return { method: "POST", body: Uint8Array.from(bytes) };
  const form = new FormData();
  for (const byte of bytes) form.append("image", new Blob([Uint8Array.of(byte)]), "a");
  return { method: "POST", body: form };
}
