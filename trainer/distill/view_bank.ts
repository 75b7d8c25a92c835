/**
 * Views on disk, each with what the teacher makes of it: the teacher, which is slow, is asked once, and the student looks many
 * times. A bank is a folder of files of equal records, one after another: `[S, S, 3]` bytes, then `[R, D]` 16-bit floats, for
 * each region of a picture its features, then in some banks, as 32 bits, which picture the view is of.
 */

import { join } from "node:path";
import { TrainerError } from "../errors.ts";

/** How large a bank's views are. */
export interface ViewFormat {
  /** S, in pixels. */
  readonly size: number;
  /** D, of the teacher's features. */
  readonly dimensions: number;
  /** Regions in a row of a picture, and rows of them: R is its square. */
  readonly side: number;
  /** Where each view is of one picture, and says of which. */
  readonly hasPlaces?: true;
}

/** Views that were read. */
export interface Views {
  /** `[N, S, S, 3]`. */
  readonly pixels: Uint8Array<ArrayBuffer>;
  /** `[N, R, D]`. */
  readonly features: Float32Array<ArrayBuffer>;
  /** `[N]`: places in the list of pictures, in a bank that has them. */
  readonly places?: Uint32Array<ArrayBuffer>;
}

/** A view to be written. */
export interface NewView {
  /** `[S, S, 3]`. */
  readonly pixels: Uint8Array;
  /** `[R, D]`. */
  readonly features: Float32Array;
  /** Of its picture in the list; of use in a bank that has places. */
  readonly place?: number;
}

/** Of a file that is whole; one more or fewer would be another number in its name. */
export const SHARD_VIEWS = 256;

/** The file of views from pictures that are held out. */
export const HELD_OUT = "held-out.views";

/** The file of some views to learn from, in the order of their numbers. */
export function shardName(shard: number): string {
  return `${String(shard).padStart(5, "0")}.views`;
}

/** How files end that a run has not finished. */
export function partEnding(run: string): string {
  return `.${run}.part`;
}

function countFeatures({ dimensions, side }: ViewFormat): number {
  return side * side * dimensions;
}

/** Where a record's parts end, in bytes. */
function partsOf(format: ViewFormat) {
  const pixels = 3 * format.size ** 2;
  const features = pixels + 2 * countFeatures(format);
  return { pixels, features, record: features + (format.hasPlaces ? 4 : 0) };
}

/**
 * Writes a file of views, and puts it in place when it is whole.
 *
 * @param path of the file
 * @param format of its views
 * @param count how many
 * @param make makes one
 * @param run tells what is not whole yet from what another run makes
 */
export async function writeViews(
  path: string,
  format: ViewFormat,
  count: number,
  make: (number: number) => Promise<NewView>,
  run: string,
): Promise<void> {
  const part = path + partEnding(run);
  const ends = partsOf(format);
  const record = new Uint8Array(ends.record);
  using file = await Deno.open(part, { write: true, createNew: true });
  for (let number = 0; number < count; number++) {
    const { pixels, features, place } = await make(number);
    record.set(pixels);
    record.set(new Uint8Array(Float16Array.from(features).buffer), ends.pixels);
    if (format.hasPlaces) {
      if (place === undefined) throw new TypeError("A view must say which picture it is of");
      new DataView(record.buffer).setUint32(ends.features, place, true);
    }
    for (let at = 0; at < record.length;) at += file.writeSync(record.subarray(at));
  }
  await Deno.rename(part, path);
}

/** Reads views by number. */
export class ViewBank {
  readonly #folder: string;
  readonly #format: ViewFormat;
  readonly #files = new Map<string, Deno.FsFile>();

  /**
   * @param folder of the files
   * @param format of their views
   */
  constructor(folder: string, format: ViewFormat) {
    this.#folder = folder;
    this.#format = format;
  }

  /** How large its views are. */
  get format(): ViewFormat {
    return this.#format;
  }

  /**
   * Reads views to learn from.
   *
   * @param numbers which
   * @throws {TrainerError} when one is not there
   */
  read(numbers: readonly number[]): Views {
    return this.#read(
      numbers.map((n) => [shardName(Math.floor(n / SHARD_VIEWS)), n % SHARD_VIEWS]),
    );
  }

  /** Reads the views of pictures that are held out. */
  readHeldOut(numbers: readonly number[]): Views {
    return this.#read(numbers.map((n) => [HELD_OUT, n]));
  }

  /** Closes its files. */
  close(): void {
    for (const file of this.#files.values()) file.close();
    this.#files.clear();
  }

  #read(records: readonly (readonly [file: string, number: number])[]): Views {
    const count = countFeatures(this.#format);
    const ends = partsOf(this.#format);
    const record = new Uint8Array(ends.record);
    const pixels = new Uint8Array(records.length * ends.pixels);
    const features = new Float32Array(records.length * count);
    const places = new Uint32Array(this.#format.hasPlaces ? records.length : 0);
    for (const [i, [name, number]] of records.entries()) {
      const file = this.#open(name);
      file.seekSync(number * ends.record, Deno.SeekMode.Start);
      for (let at = 0; at < ends.record;) {
        const read = file.readSync(record.subarray(at));
        if (read === null) throw this.#damaged(name, "it is too short");
        at += read;
      }
      pixels.set(record.subarray(0, ends.pixels), i * ends.pixels);
      features.set(new Float16Array(record.slice(ends.pixels, ends.features).buffer), i * count);
      if (places.length > 0) places[i] = new DataView(record.buffer).getUint32(ends.features, true);
    }
    return { pixels, features, ...(this.#format.hasPlaces && { places }) };
  }

  #open(name: string): Deno.FsFile {
    let file = this.#files.get(name);
    if (file) return file;
    try {
      file = Deno.openSync(join(this.#folder, name));
    } catch (cause) {
      throw this.#damaged(name, cause instanceof Error ? cause.message : String(cause));
    }
    this.#files.set(name, file);
    return file;
  }

  #damaged(name: string, why: string): TrainerError {
    return new TrainerError(
      `Cannot read the views in ${
        join(this.#folder, name)
      }: ${why}. Delete the file, and it is made anew`,
    );
  }
}
