/**
 * Keras's HDF5 weight files in their simplest form, for tests that import one.
 */

import h5wasm from "h5wasm";

const { FS } = await h5wasm.ready;

/** A dense layer's numbers. */
export interface KerasLayer {
  readonly inputs: number;
  readonly units: number;
  /** `[inputs, units]`. */
  readonly kernel: Float32Array;
  readonly bias: Float32Array;
}

/**
 * Writes a weight file, as `save_weights` lays it out.
 *
 * @param layers by name
 */
export function writeKerasFile(
  layers: Readonly<Record<string, KerasLayer>>,
): Uint8Array<ArrayBuffer> {
  const name = "/keras_file.hdf5";
  const file = new h5wasm.File(name, "w");
  for (const [layer, { inputs, units, kernel, bias }] of Object.entries(layers)) {
    file.create_group(layer);
    file.create_group(`${layer}/${layer}`);
    const at = (weight: string) => `${layer}/${layer}/${weight}:0`;
    file.create_dataset({ name: at("kernel"), data: kernel, shape: [inputs, units] });
    file.create_dataset({ name: at("bias"), data: bias, shape: [units] });
  }
  file.close();
  try {
    return FS.readFile(name) as Uint8Array<ArrayBuffer>;
  } finally {
    FS.unlink(name);
  }
}
