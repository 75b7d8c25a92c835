/**
 * Pictures without labels, which is all that distillation needs: a folder of them at any depth, `DIR`, or the members of tar
 * files, `tar:PATTERN`.
 */

import { TrainerError } from "../errors.ts";
import { dataFailure } from "../data/data_failure.ts";
import { describeFolder, findPictures } from "../data/find_pictures.ts";
import { findFiles } from "../data/find_files.ts";
import { OpenFiles } from "../data/open_files.ts";
import { isPictureName, pictureReader } from "../data/picture_file.ts";
import { indexTar } from "../data/tar_index.ts";

/** A picture that is not read yet. */
export interface PictureSource {
  /** For reports: its path in the folder, or the tar file's and its own. */
  readonly name: string;
  /**
   * Reads the picture file's bytes.
   *
   * @throws {TrainerError} when it cannot be read
   */
  readonly read: () => Promise<Uint8Array<ArrayBuffer>>;
}

const TAR = "tar:";

/**
 * Lists pictures. None is opened.
 *
 * @param specs folders, or `tar:` and a file, a folder of them or a pattern
 * @returns at least one, in the order of the specs and then by name; the same on every machine
 * @throws {TrainerError} when one of the specs leads to none
 */
export async function listPictures(specs: readonly string[]): Promise<PictureSource[]> {
  const lists = await Promise.all(
    specs.map((spec) => spec.startsWith(TAR) ? listTar(spec.slice(TAR.length)) : listFolder(spec)),
  );
  return lists.flat();
}

async function listFolder(folder: string): Promise<PictureSource[]> {
  const names = await findPictures(folder, []).catch((cause) => {
    throw new TrainerError(
      `Cannot read pictures from ${folder}: it is no folder that can be read. Name one, or write tar:PATTERN`,
      { cause },
    );
  });
  if (names.length === 0) {
    throw dataFailure(
      folder,
      `there is no picture (.jpg, .jpeg, .png, .webp), but ${await describeFolder(folder)}`,
    );
  }
  return names.map((name) => ({ name, read: pictureReader(folder, name) }));
}

async function listTar(pattern: string): Promise<PictureSource[]> {
  const files = new OpenFiles();
  const pictures: PictureSource[] = [];
  for (const { path, name } of await findFiles(pattern, [".tar"])) {
    const { size } = await Deno.stat(path);
    for (const member of indexTar(files, path, size)) {
      if (!isPictureName(member.name)) continue;
      const read = () =>
        Promise.resolve().then(() => files.read(path, member.start, member.length));
      pictures.push({ name: `${name}/${member.name}`, read });
    }
  }
  if (pictures.length > 0) return pictures;
  throw dataFailure(pattern, "no member is a picture (.jpg, .jpeg, .png, .webp)");
}
