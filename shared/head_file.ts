/**
 * Heads as files of a bundle: safetensors, with tensors named after the authors' layers.
 *
 * A variant (see `head.ts`) keeps `input` and `blend` in the file's metadata and `groups` in `preds.groups`. A reader from
 * before there were variants would not look at these and answer wrongly; so a variant's first layer is named
 * `variant.img_fc1`, for want of which such a reader refuses the file and answers by another method.
 */

import type { Dense } from "./dense.ts";
import {
  type ContrastiveHead,
  type CrossEntropyHead,
  type Head,
  HEAD_INPUTS,
  type HeadInput,
} from "./head.ts";
import { requireTensor, unusable } from "./require_tensor.ts";
import {
  type IntegerTensor,
  readSafetensorsFile,
  type SafetensorsFile,
  type Tensor,
  writeSafetensors,
} from "./safetensors.ts";

const GROUPS = "preds.groups";

/**
 * Whether a head's kind is one that this code knows.
 *
 * @param kind as the manifest says it
 */
export function isHeadKind(kind: string): kind is Head["kind"] {
  return kind === "cross-entropy" || kind === "contrastive";
}

/**
 * A head as a file of a bundle.
 *
 * @param head the head
 * @returns safetensors, with tensors named after the authors' layers
 */
export function writeHead(head: Head): Uint8Array<ArrayBuffer> {
  const { groups, input, blend }: Variant = head;
  const layers: Record<string, Dense> = head.kind === "cross-entropy"
    ? { [firstLayer(head)]: head.img_fc1, preds: head.preds }
    : { [firstLayer(head)]: head.img_fc1, img_fc2: head.img_fc2 };
  const tensors: Record<string, Tensor | IntegerTensor> = {};
  for (const [name, { inputs, units, kernel, bias }] of Object.entries(layers)) {
    tensors[`${name}.kernel`] = { shape: [inputs, units], data: kernel };
    tensors[`${name}.bias`] = { shape: [units], data: bias };
  }
  if (groups) tensors[GROUPS] = { shape: [groups.length], data: groups };
  return writeSafetensors(tensors, {
    ...(input === "unit" && { input }),
    ...(blend !== undefined && { blend: `${blend}` }),
  });
}

/**
 * Reads a head.
 *
 * @param kind as the manifest says it
 * @param bytes of the file
 * @param size of the embedding, D
 * @throws {ClipEError} `invalid-bundle`, when the file holds no such head
 */
export function readHead(kind: Head["kind"], bytes: Uint8Array, size: number): Head {
  const file = readSafetensorsFile(bytes);
  return kind === "cross-entropy" ? readCrossEntropy(file, size) : readContrastive(file, size);
}

/** What makes a head a variant. */
interface Variant {
  readonly input?: HeadInput;
  readonly groups?: Int32Array;
  readonly blend?: number;
}

function firstLayer({ input, groups, blend }: Variant): string {
  const isVariant = input === "unit" || groups !== undefined || blend !== undefined;
  return isVariant ? "variant.img_fc1" : "img_fc1";
}

function readCrossEntropy(
  { tensors, integers, metadata }: SafetensorsFile,
  size: number,
): CrossEntropyHead {
  const groups = integers.get(GROUPS);
  const variant: Variant = { ...readInput(metadata), ...(groups && { groups: groups.data }) };
  const img_fc1 = readDense(tensors, firstLayer(variant), size);
  const preds = readDense(tensors, "preds", img_fc1.units);
  if (groups) checkGroups(groups, Math.max(preds.units, 2));
  return { kind: "cross-entropy", ...variant, img_fc1, preds };
}

function readContrastive({ tensors, metadata }: SafetensorsFile, size: number): ContrastiveHead {
  const variant: Variant = { ...readInput(metadata), ...readBlend(metadata) };
  const img_fc1 = readDense(tensors, firstLayer(variant), size);
  const img_fc2 = readDense(tensors, "img_fc2", img_fc1.units);
  if (variant.blend !== undefined && img_fc2.units !== size) {
    throw unusable(
      `it blends a projection of ${img_fc2.units} numbers with an embedding of ${size}`,
    );
  }
  return { kind: "contrastive", ...variant, img_fc1, img_fc2 };
}

function readInput(metadata: SafetensorsFile["metadata"]): Pick<Variant, "input"> {
  const name = metadata.get("input") ?? "raw";
  const input = HEAD_INPUTS.find((known) => known === name);
  if (input === undefined) throw unusable(`its input is ${name}, which is none of ${HEAD_INPUTS}`);
  return input === "raw" ? {} : { input };
}

function readBlend(metadata: SafetensorsFile["metadata"]): Pick<Variant, "blend"> {
  const text = metadata.get("blend");
  if (text === undefined) return {};
  const blend = text.trim() === "" ? NaN : Number(text);
  if (!(blend >= 0 && blend <= 1)) throw unusable(`its blend is ${text}, which is not 0 to 1`);
  return { blend };
}

/** Every fine label has a group, and every group a fine label. */
function checkGroups({ shape, data }: IntegerTensor, labels: number): void {
  if (shape.join() !== `${labels}`) {
    throw unusable(`${GROUPS} has the shape [${shape}], expected [${labels}]`);
  }
  const named = new Set(data);
  const least = Math.min(...named);
  if (least < -1) throw unusable(`${GROUPS} names the label ${least}`);
  const count = Math.max(...named) + 1;
  if (count < 2) throw unusable(`${GROUPS} names ${count} labels, and 2 are needed`);
  for (let label = 0; label < count; label++) {
    if (!named.has(label)) throw unusable(`${GROUPS} leaves label ${label} empty`);
  }
}

function readDense(tensors: ReadonlyMap<string, Tensor>, layer: string, inputs: number): Dense {
  const kernel = tensors.get(`${layer}.kernel`);
  const units = kernel?.shape[1];
  if (!kernel || units === undefined) throw unusable(`there is no matrix ${layer}.kernel`);
  return {
    inputs,
    units,
    kernel: requireTensor(tensors, `${layer}.kernel`, [inputs, units]),
    bias: requireTensor(tensors, `${layer}.bias`, [units]),
  };
}
