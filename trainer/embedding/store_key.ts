/**
 * What embeddings depend on, beside the pictures: the key of an embedding store, and its folder's name. One that was made
 * under another key is never taken for one of these.
 *
 * The backend is a part of it only where that matters. Float encoders give the same to about 1e-6 on every backend, so that
 * what was embedded natively on one machine serves another that has WebAssembly alone. Quantised kernels and 16-bit floats
 * are rounded in ways of their own (differences up to 1e-2), which a head that is trained on a mixture would have to learn.
 */

import type { ModelProto } from "onnx-buf";
import { TensorProto_DataType as DataType } from "onnx-buf";
import { type Preprocessing, sha256 } from "@clip-e/shared";
import type { EmbeddingBackend } from "./choose_backend.ts";
import { TrainerError } from "../errors.ts";
import { readModel } from "../quantize/mod.ts";
import type { EncoderSpec } from "./encoder_spec.ts";

/** The file that says, in a store's folder, what it holds. */
const KEY_FILE = "key.json";

/** What a store's embeddings depend on. */
export interface StoreKey {
  /** SHA-256 of the encoder, hexadecimal. */
  readonly encoder: string;
  /** How pictures become its input. */
  readonly preprocessing: Preprocessing;
  /** D. */
  readonly size: number;
  /** What ran the encoder, where it is not one of plain floats. */
  readonly backend?: EmbeddingBackend;
}

/**
 * The key of an encoder's embeddings.
 *
 * @param encoder which
 * @param size D
 * @param backend what runs it
 */
export function storeKey(encoder: EncoderSpec, size: number, backend: EmbeddingBackend): StoreKey {
  const { sha256, preprocessing } = encoder;
  const isPlain = computesInFloats(readModel(encoder.bytes, "the encoder"));
  return { encoder: sha256, preprocessing, size, ...(!isPlain && { backend }) };
}

/** Operators of integers: `MatMulInteger`, `QLinearConv`, `DynamicQuantizeLinear`, `MatMulNBits`, `QGemm` ... */
const QUANTISED = /Integer|[Qq]uantize|NBits|Bnb4|^Q[A-Z]/;

/**
 * Whether a model computes with 32-bit floats alone. Weights that are stored as integers and made floats for computing do
 * not count as such: runtimes fuse them with the operators behind them, each in its own way.
 */
export function computesInFloats({ graph, functions }: ModelProto): boolean {
  const nodes = [...graph?.node ?? [], ...functions.flatMap(({ node }) => node)];
  return !nodes.some(({ opType }) => QUANTISED.test(opType)) &&
    !graph?.initializer.some(({ dataType }) =>
      dataType === DataType.FLOAT16 || dataType === DataType.BFLOAT16
    );
}

/** The same text for the same key, however its objects were made. */
function keyText({ encoder, preprocessing, size, backend }: StoreKey): string {
  const { resize, crop, mean, std, interpolation, resizeMode = "shortest" } = preprocessing;
  return JSON.stringify({
    format: 1,
    encoder,
    preprocessing: { resize, crop, mean, std, interpolation, resizeMode },
    size,
    ...(backend !== undefined && { backend }),
  });
}

/** The name of a store's folder. */
export async function storeName(key: StoreKey): Promise<string> {
  return (await sha256(new TextEncoder().encode(keyText(key)))).slice(0, 32);
}

/**
 * Makes a store's folder and writes its key into it. Several may do so at a time: they write the same.
 *
 * @param cache the folder of all stores
 * @returns the store's folder
 */
export async function makeStoreFolder(cache: string, key: StoreKey): Promise<string> {
  const name = await storeName(key);
  const folder = `${cache}/${name}`;
  if (await readStoreKey(cache, name)) return folder;
  await Deno.mkdir(folder, { recursive: true });
  const draft = `${folder}/${crypto.randomUUID()}.tmp`;
  await Deno.writeTextFile(draft, keyText(key) + "\n");
  await Deno.rename(draft, `${folder}/${KEY_FILE}`);
  return folder;
}

/**
 * Reads a store's key.
 *
 * @param cache the folder of all stores
 * @param name of the store's folder
 * @returns nothing where the folder is no store
 * @throws {TrainerError} when the key is not the one that gave the folder its name
 */
export async function readStoreKey(cache: string, name: string): Promise<StoreKey | undefined> {
  const file = `${cache}/${name}/${KEY_FILE}`;
  const text = await Deno.readTextFile(file).catch((error) => {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) {
      return undefined;
    }
    throw error;
  });
  if (text === undefined) return undefined;
  const key = parseKey(text);
  if (key && await storeName(key) === name) return key;
  throw new TrainerError(
    `Cannot use the embeddings in ${cache}/${name}: its ${KEY_FILE} was changed, or the folder's name was`,
  );
}

function parseKey(text: string): StoreKey | undefined {
  try {
    const key: StoreKey = JSON.parse(text);
    return keyText(key) === text.trimEnd() ? key : undefined;
  } catch {
    return undefined;
  }
}
