/**
 * The text side of a CLIP model: its files, and the encoder that they make.
 */

import { createTokenizer, type OpenTextEncoder, openTextEncoder } from "@clip-e/edge/text";
import type { Scoring } from "@clip-e/shared";
import type { TextEncoderFiles } from "../bundle/bundle_draft.ts";
import { readExternalData } from "../encoder/external_data.ts";
import { type ClipModelFiles, readClipConfig } from "./clip_model.ts";

/**
 * Reads the text side of a model.
 *
 * @param files of the model
 * @param scoring that it was trained to
 */
export async function readTextEncoderFiles(
  { paths }: ClipModelFiles,
  scoring: Scoring,
): Promise<TextEncoderFiles> {
  const path = paths["onnx/text_model.onnx"];
  const model = await Deno.readFile(path);
  return {
    model,
    externalData: await readExternalData(path, model),
    tokenizer: await Deno.readFile(paths["tokenizer.json"]),
    tokenizerConfig: await Deno.readFile(paths["tokenizer_config.json"]),
    contextLength: (await readClipConfig(paths["config.json"])).contextLength,
    scoring,
  };
}

/**
 * Opens the text encoder.
 *
 * @param files as read
 * @throws {ClipEError} `invalid-bundle`, when they do not make one
 */
export async function openClipTextEncoder(
  { model, externalData, tokenizer, tokenizerConfig, contextLength }: TextEncoderFiles,
): Promise<OpenTextEncoder> {
  const json = (bytes: Uint8Array) => JSON.parse(new TextDecoder().decode(bytes));
  const files = { tokenizer: json(tokenizer), config: json(tokenizerConfig) };
  return await openTextEncoder(model, createTokenizer(files, contextLength), {
    externalData,
  });
}
