/**
 * Views on disk, each with what the teacher makes of it: the teacher, which is slow, is asked once, and the student looks many
 * times. A bank is a folder of files of equal records, one after another: `[S, S, 3]` bytes, then `[R, D]` 16-bit floats, for
 * each region of a picture its features.
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
}

/** Views that were read. */
export interface Views {
  /** `[N, S, S, 3]`. */
  readonly pixels: Uint8Array<ArrayBuffer>;
  /** `[N, R, D]`. */
  readonly features: Float32Array<ArrayBuffer>;
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

function recordBytes(format: ViewFormat): number {
  return 3 * format.size ** 2 + 2 * countFeatures(format);
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
  make: (number: number) => Promise<{ pixels: Uint8Array; features: Float32Array }>,
  run: string,
): Promise<void> {
  const part = path + partEnding(run);
  const record = new Uint8Array(recordBytes(format));
  using file = await Deno.open(part, { write: true, createNew: true });
  for (let number = 0; number < count; number++) {
    const { pixels, features } = await make(number);
    record.set(pixels);
    record.set(new Uint8Array(Float16Array.from(features).buffer), pixels.length);
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

  #read(places: readonly (readonly [file: string, number: number])[]): Views {
    const { size } = this.#format;
    const count = countFeatures(this.#format);
    const bytes = recordBytes(this.#format);
    const record = new Uint8Array(bytes);
    const pixels = new Uint8Array(places.length * 3 * size * size);
    const features = new Float32Array(places.length * count);
    for (const [i, [name, number]] of places.entries()) {
      const file = this.#open(name);
      file.seekSync(number * bytes, Deno.SeekMode.Start);
      for (let at = 0; at < bytes;) {
        const read = file.readSync(record.subarray(at));
        if (read === null) throw this.#damaged(name, "it is too short");
        at += read;
      }
      pixels.set(record.subarray(0, 3 * size * size), i * 3 * size * size);
      features.set(new Float16Array(record.slice(3 * size * size).buffer), i * count);
    }
    return { pixels, features };
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
