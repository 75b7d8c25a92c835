// @ts-check
/// <reference lib="dom" />
/**
 * Where an answer comes from: everything that another must have the same to get the same.
 *
 * @module
 */

import { copyButton } from "./copy_button.js";
import { element, glossary } from "./element.js";

/** @import { Model, Result } from "./engine.js" */

/** @type {Readonly<Record<string, string>>} */
const BACKENDS = { wasm: "WebAssembly", webgpu: "WebGPU", native: "native code" };

/**
 * What runs the encoder, for people.
 *
 * @param {Model | undefined} model
 */
export function backendName(model) {
  if (!model) return "the model";
  /** @type {{ backend: string, adapter?: string }} */
  const { backend, adapter } = model.encoder;
  return (BACKENDS[backend] ?? backend) + (adapter ? ` (${adapter})` : "");
}

/**
 * What the model's embeddings are, and what makes them, wherever it runs.
 *
 * @param {Model} model
 * @returns {[string, Node | string][]}
 */
export function modelFacts(model) {
  const { embeddingSpace, encoder, bundle } = model;
  return [
    ["Embedding space", `${embeddingSpace.id}, ${embeddingSpace.size} numbers`],
    ["Encoder", `${encoder.file}, ${encoder.precision}, sees ${encoder.crop} × ${encoder.crop}`],
    ["Bundle", digest(bundle)],
    ["Licence of the weights", model.license],
  ];
}

/**
 * @param {Model} model
 * @returns {[string, string]}
 */
function backendOf(model) {
  return ["Backend", backendName(model)];
}

/**
 * Where one answer comes from.
 *
 * @param {Result} result
 */
export function provenanceOf({ answer, model, engine }) {
  const { width, height } = answer.image;
  return glossary([
    ["Computed", engine === "server" ? "on the server" : "in this browser"],
    ["Picture", `${width} × ${height}, upright`],
    ["Model", answer.model.name],
    ...(model ? [...modelFacts(model), backendOf(model)] : []),
  ]);
}

/** @param {string} text */
function digest(text) {
  return element(
    "span",
    { className: "digest" },
    element("code", { textContent: text }),
    copyButton("Copy the digest", () => text, "Copy"),
  );
}
