/**
 * The CLIP-E authors' weights, as Keras saves them, as heads. Keras's HDF5 files keep a layer's
 * weights under the layer's name, at a depth and with an ending that differ between its versions;
 * only that name is relied on here. The HDF5 library reads from a file system in its own memory,
 * never from the disk.
 */

import type { Dense, Head, Tensor } from "@clip-e/shared";
import h5wasm, { type Metadata } from "h5wasm";
import { TrainerError } from "./errors.ts";

type Hdf5File = InstanceType<typeof h5wasm.File>;
type Library = Awaited<typeof h5wasm.ready>;
/** The package's types leave out one method of its file system. */
type FileSystem = Library["FS"] & {
  getStream(descriptor: number): ReturnType<Library["FS"]["open"]>;
};
type LayerName = "img_fc1" | "img_fc2" | "preds";
type Part = "kernel" | "bias";

/** What a file holds, and how to refuse it. */
interface KerasFile {
  /** The paths of a layer's part; one, if all is well. */
  find(layer: LayerName, part: Part): readonly string[];
  /** The numbers at a path, for a layer. */
  read(layer: LayerName, path: string): Tensor;
  /** All paths in it, for people. */
  readonly contents: string;
  /** Says what was found and what was expected. */
  refuse(why: string, cause?: unknown): TrainerError;
}

/** The first bytes of every HDF5 file, by the format's specification, section II.A. */
const SIGNATURE = Uint8Array.of(0x89, 0x48, 0x44, 0x46, 0x0d, 0x0a, 0x1a, 0x0a);
/** In the library's memory. Nothing waits while these files exist, so that one name is enough. */
const SCRATCH = "/keras_head.hdf5";
const COMPLAINTS = "/keras_head.log";
const STANDARD_ERROR = 2;
/** A file may claim any shape without having the numbers; this is 256 MiB of 32-bit floats. */
const MAX_NUMBERS = 2 ** 26;
const MAX_PATHS_SHOWN = 12;

/**
 * Reads a head from a Keras weight file, or from a file of a whole model: `img_fc1` with `preds` is
 * the cross-entropy head, `img_fc1` with `img_fc2` the contrastive one. Other layers and the
 * optimizer's numbers are ignored.
 *
 * @param bytes the HDF5 file: kernels `[inputs, units]`; floats of 16 and 64 bits become 32-bit
 * @param name the file's name, for errors
 * @returns the head
 * @throws {TrainerError} when the bytes are not a whole HDF5 file, a layer is missing or there
 * twice, the shapes do not follow from one another, or a number is not a finite float
 */
export async function readKerasHead(bytes: Uint8Array, name: string): Promise<Head> {
  const refuse = (why: string, cause?: unknown) =>
    new TrainerError(`Cannot read a head from ${name}: ${why}`, { cause });
  if (bytes.length === 0) throw refuse("the file is empty");
  if (!SIGNATURE.every((byte, i) => bytes[i] === byte)) {
    throw refuse(
      "it is not an HDF5 file, as Keras's save_weights writes; see whether a web page was fetched",
    );
  }
  const library = await h5wasm.ready;
  return withOpenFile(library, bytes, refuse, (file) => {
    const paths = orDamaged(library.FS, refuse, () => file.paths());
    return readHead({
      find: (layer, part) => paths.filter((path) => isWeight(path, layer, part)),
      read: (layer, path) => readDataset(library, file, layer, path, refuse),
      contents: listed(paths),
      refuse,
    });
  });
}

// -------------------------------------------------------------------------------------------------
// From layers to a head

function readHead(file: KerasFile): Head {
  const has = (layer: LayerName) =>
    file.find(layer, "kernel").length + file.find(layer, "bias").length > 0;
  const wanted = "img_fc1 and either preds (cross-entropy) or img_fc2 (contrastive)";
  if (!has("img_fc1") || !(has("preds") || has("img_fc2"))) {
    const missing = has("img_fc1") ? "preds or img_fc2" : "img_fc1";
    throw file.refuse(`no layer ${missing}; expected ${wanted}, found ${file.contents}`);
  }
  if (has("preds") && has("img_fc2")) {
    throw file.refuse(`layers preds and img_fc2 are both there; expected ${wanted}`);
  }
  const img_fc1 = readDense(file, "img_fc1");
  return has("preds")
    ? { kind: "cross-entropy", img_fc1, preds: readDense(file, "preds", img_fc1) }
    : { kind: "contrastive", img_fc1, img_fc2: readDense(file, "img_fc2", img_fc1) };
}

/** `img_fc1` is given for the layer that follows it. */
function readDense(file: KerasFile, layer: LayerName, img_fc1?: Dense): Dense {
  const kernel = readPart(file, layer, "kernel", 2);
  const [inputs, units] = kernel.shape;
  if (img_fc1 && inputs !== img_fc1.units) {
    throw file.refuse(
      `layer ${layer}: expected a kernel [${img_fc1.units}, units], as img_fc1 gives ` +
        `${img_fc1.units} numbers, found ${shown(kernel.shape)}`,
    );
  }
  const bias = readPart(file, layer, "bias", 1);
  if (bias.shape[0] !== units) {
    throw file.refuse(
      `layer ${layer}: expected a bias [${units}], as the kernel is ${shown(kernel.shape)}, ` +
        `found ${shown(bias.shape)}`,
    );
  }
  return { inputs, units, kernel: kernel.data, bias: bias.data };
}

function readPart(file: KerasFile, layer: LayerName, part: Part, rank: number): Tensor {
  const paths = file.find(layer, part);
  if (paths.length !== 1) {
    throw file.refuse(`layer ${layer}: expected one ${part}, found ${listed(paths)}`);
  }
  const tensor = file.read(layer, paths[0]);
  if (tensor.shape.length !== rank) {
    const expected = rank === 1 ? "[units]" : "[inputs, units]";
    throw file.refuse(
      `layer ${layer}: expected a ${part} ${expected}, found ${shown(tensor.shape)}`,
    );
  }
  return tensor;
}

/** An optimizer's moments are named after the weights that they belong to. */
function isWeight(path: string, layer: LayerName, part: Part): boolean {
  const names = path.split("/");
  return !names.includes("optimizer_weights") && names.at(-2) === layer &&
    names.at(-1)?.replace(/:0$/, "") === part;
}

// -------------------------------------------------------------------------------------------------
// From HDF5 to numbers

type Refuse = KerasFile["refuse"];

/** Lends the bytes to the library as an open file. */
function withOpenFile<T>(
  library: Library,
  bytes: Uint8Array,
  refuse: Refuse,
  use: (file: Hdf5File) => T,
): T {
  const files = library.FS as FileSystem;
  sendComplaintsTo(files, COMPLAINTS);
  try {
    files.writeFile(SCRATCH, bytes);
    const file = orDamaged(files, refuse, () => new h5wasm.File(SCRATCH, "r"));
    try {
      return use(file);
    } finally {
      file.close();
    }
  } finally {
    sendComplaintsTo(files, "/dev/stderr");
    for (const path of [SCRATCH, COMPLAINTS]) {
      if (files.analyzePath(path).exists) files.unlink(path);
    }
  }
}

/** The library prints a page to standard error about whatever it cannot read. */
function sendComplaintsTo(files: FileSystem, path: string): void {
  files.close(files.getStream(STANDARD_ERROR));
  // A stream takes the lowest number that is free.
  files.open(path, "w");
}

/**
 * Has the library do something. It does not always throw where it fails: a list of paths ends at
 * the first that is damaged. So what it complains about counts too.
 */
function orDamaged<T>(files: Library["FS"], refuse: Refuse, action: () => T): T {
  const why = "it is damaged or cut short; fetch the file again";
  let result: T;
  try {
    result = action();
  } catch (cause) {
    throw refuse(why, cause);
  }
  const complaints = files.readFile(COMPLAINTS, { encoding: "utf8" });
  if (complaints !== "") throw refuse(why, new Error(complaints));
  return result;
}

function readDataset(
  library: Library,
  file: Hdf5File,
  layer: LayerName,
  path: string,
  refuse: Refuse,
): Tensor {
  const expected = (what: string, found: string) =>
    refuse(`layer ${layer}: expected ${what} at ${path}, found ${found}`);
  const dataset = orDamaged(library.FS, refuse, () => file.get(path));
  if (!(dataset instanceof h5wasm.Dataset)) throw expected("numbers", "no data set");
  const metadata = orDamaged(library.FS, refuse, () => dataset.metadata);
  const { H5T_FLOAT } = library.H5T_class_t;
  const toFloats = metadata.type === H5T_FLOAT.value ? toFloatsOf(metadata.size) : undefined;
  if (!toFloats) {
    throw expected("floats of 32 bits (or 16 or 64)", describeType(library, metadata));
  }
  const shape = metadata.shape ?? [];
  const count = shape.reduce((product, n) => product * n, 1);
  if (shape.length === 0 || count === 0 || count > MAX_NUMBERS) {
    throw expected(`a vector or a matrix of 1 to ${MAX_NUMBERS} numbers`, shown(shape));
  }
  const bytes = readBytes(library, file, path, shape, count * metadata.size);
  if (!bytes) throw expected("readable numbers", "damaged ones; fetch the file again");
  const floats = toFloats(bytes);
  const data = Float32Array.from(floats);
  const at = data.findIndex((value) => !Number.isFinite(value));
  if (at !== -1) throw expected("finite 32-bit floats", `${floats[at]} as number ${at}`);
  return { shape, data };
}

/** The library gives numbers in little-endian order, which every host of WebAssembly has too. */
function toFloatsOf(size: number): ((bytes: ArrayBuffer) => ArrayLike<number>) | undefined {
  switch (size) {
    case 2:
      return (bytes) => new Float16Array(bytes);
    case 4:
      return (bytes) => new Float32Array(bytes);
    case 8:
      return (bytes) => new Float64Array(bytes);
  }
  return undefined;
}

/**
 * A dataset's numbers as bytes; `undefined` when they cannot be read. The package's own `value`
 * gives whatever its memory held where a read fails, and does not know 16-bit floats.
 */
function readBytes(
  library: Library,
  file: Hdf5File,
  path: string,
  shape: readonly number[],
  length: number,
): ArrayBuffer | undefined {
  const address = library._malloc(length);
  if (address === 0) return undefined;
  try {
    const count = shape.map(BigInt);
    const offset = shape.map(() => 0n);
    const stride = shape.map(() => 1n);
    const target = BigInt(address);
    const status = library.get_dataset_data(file.file_id, path, count, offset, stride, target);
    if (status < 0) return undefined;
    return new Uint8Array(library.HEAPU8.subarray(address, address + length)).buffer;
  } catch {
    return undefined;
  } finally {
    library._free(address);
  }
}

function describeType(library: Library, { type, size }: Metadata): string {
  const { H5T_FLOAT, H5T_INTEGER, H5T_STRING } = library.H5T_class_t;
  if (type === H5T_FLOAT.value) return `floats of ${size * 8} bits`;
  if (type === H5T_INTEGER.value) return `integers of ${size * 8} bits`;
  return type === H5T_STRING.value ? "texts" : "no numbers";
}

function shown(shape: readonly number[]): string {
  return `[${shape.join(", ")}]`;
}

function listed(paths: readonly string[]): string {
  if (paths.length === 0) return "none";
  const rest = paths.length - MAX_PATHS_SHOWN;
  return paths.slice(0, MAX_PATHS_SHOWN).join(", ") + (rest > 0 ? ` and ${rest} more` : "");
}
