/**
 * What a GPU computes in, known before its runtime is loaded.
 */

/**
 * Lists precisions by the names in manifests: floats of 16 bits where the GPU has them, and of 32.
 *
 * @param gpu an adapter or a device
 */
export function gpuPrecisions({ features }: Pick<GPUAdapter, "features">): readonly string[] {
  return [...(features.has("shader-f16") ? ["float16"] : []), "float32"];
}
