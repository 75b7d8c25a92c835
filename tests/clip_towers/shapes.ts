/**
 * The sizes of CLIP models, by name, as their configuration files give them.
 */

/** A stack of transformer layers. */
export interface EncoderShape {
  /** Length of a token's vector. */
  readonly hidden: number;
  readonly layers: number;
  readonly heads: number;
  /** Length of the vector inside the feed-forward part. */
  readonly mlp: number;
}

/** The image tower. */
export interface VisionShape extends EncoderShape {
  /** Side of a patch, in pixels. */
  readonly patch: number;
  /** Side of the picture, in pixels. */
  readonly image: number;
}

/** The text tower. */
export interface TextShape extends EncoderShape {
  readonly vocab: number;
  /** How many tokens a text may have. */
  readonly context: number;
}

/** Both towers. */
export interface ClipShape {
  readonly vision: VisionShape;
  readonly text: TextShape;
  /** Length of the embeddings. */
  readonly projection: number;
}

/** The shapes, by name. */
export const CLIP_SHAPES = {
  /** OpenAI's ViT-B/32: 151,277,312 weights in both towers. */
  "vit-b-32": {
    vision: { hidden: 768, layers: 12, heads: 12, mlp: 3072, patch: 32, image: 224 },
    text: { hidden: 512, layers: 12, heads: 8, mlp: 2048, vocab: 49408, context: 77 },
    projection: 512,
  },
  /** TinyCLIP's ViT-8M/16 Text-3M. */
  "vit-8m-16": {
    vision: { hidden: 256, layers: 10, heads: 4, mlp: 1024, patch: 16, image: 224 },
    text: { hidden: 256, layers: 3, heads: 4, mlp: 1024, vocab: 49408, context: 77 },
    projection: 512,
  },
  /** No published model: small enough to compute in plain loops. */
  tiny: {
    vision: { hidden: 24, layers: 2, heads: 3, mlp: 40, patch: 8, image: 32 },
    text: { hidden: 16, layers: 2, heads: 2, mlp: 48, vocab: 60, context: 77 },
    projection: 20,
  },
} as const satisfies Readonly<Record<string, ClipShape>>;

/** How many patches a picture is cut into. */
export function countPatches({ image, patch }: VisionShape): number {
  return (image / patch) ** 2;
}
