/**
 * Models that a bundle can be built from by the name that their authors gave them: where their ONNX files are, and what is
 * known of them that those files do not say. None of it could be held against the hub from where it was written.
 */

/** What is known of a model beside its files. */
export interface KnownModel {
  /** The repository that has its ONNX files. */
  readonly repository: string;
  /** Of the weights, as their authors state it; used where the repository of the ONNX files does not name one. */
  readonly license: string;
  /** The side of the pictures that it takes, in pixels. */
  readonly size: number;
  /** The trained logit scale: exports leave it out. */
  readonly logitScale: number;
  /** The trained logit bias, of models that score by a sigmoid. */
  readonly logitBias?: number;
  /** What its users should know. */
  readonly note?: string;
}

/** As the repositories of MobileCLIP's ONNX files say. */
const MOBILECLIP_NOTE =
  "its image encoder is sensitive to quantisation: use 32- or 16-bit floats, or measure first";

/**
 * Models by their authors' names.
 *
 * No number was read from the weights themselves. A logit scale of 100 is where CLIP's training clips it (Radford et al.
 * 2021, section 2.5), and where models trained that way end. SigLIP's two numbers are those that others report of the
 * `logit_scale` and `logit_bias` in its `model.safetensors`; the authors' own `SigLIP_demo.ipynb` (big_vision) prints 118.2
 * and -12.7 for a sibling, L/16 at 384 pixels.
 */
export const KNOWN_MODELS: Readonly<Record<string, KnownModel>> = {
  "openai/clip-vit-base-patch32": {
    repository: "Xenova/clip-vit-base-patch32",
    license: "MIT, as openai/CLIP states",
    size: 224,
    logitScale: 100,
  },
  "openai/clip-vit-base-patch16": {
    repository: "Xenova/clip-vit-base-patch16",
    license: "MIT, as openai/CLIP states",
    size: 224,
    logitScale: 100,
  },
  "wkcn/TinyCLIP-ViT-8M-16-Text-3M-YFCC15M": {
    repository: "onnx-community/TinyCLIP-ViT-8M-16-Text-3M-YFCC15M-ONNX",
    license: "MIT",
    size: 224,
    logitScale: 100,
  },
  "apple/MobileCLIP-S0": {
    repository: "Xenova/mobileclip_s0",
    license: "other: Apple's, see apple/MobileCLIP-S0",
    size: 256,
    logitScale: 100,
    note: MOBILECLIP_NOTE,
  },
  "apple/MobileCLIP-S1": {
    repository: "Xenova/mobileclip_s1",
    license: "other: Apple's, see apple/MobileCLIP-S1",
    size: 256,
    logitScale: 100,
    note: MOBILECLIP_NOTE,
  },
  "apple/MobileCLIP-S2": {
    repository: "Xenova/mobileclip_s2",
    license: "other: Apple's, see apple/MobileCLIP-S2",
    size: 256,
    logitScale: 100,
    note: MOBILECLIP_NOTE,
  },
  "google/siglip-base-patch16-224": {
    repository: "Xenova/siglip-base-patch16-224",
    license: "Apache-2.0",
    size: 224,
    logitScale: 117.330795,
    logitBias: -12.932437,
  },
};

/**
 * Finds what is known of a model.
 *
 * @param name that of its authors, or of the repository that has its ONNX files
 */
export function findKnownModel(name: string): KnownModel | undefined {
  if (Object.hasOwn(KNOWN_MODELS, name)) return KNOWN_MODELS[name];
  return Object.values(KNOWN_MODELS).find(({ repository }) => repository === name);
}
