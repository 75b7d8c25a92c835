/**
 * The pictures of a bank: any, or those of a data set that has labels. Who asks for views and who makes them list them alike.
 */

import { type LabelledSource, readLabelled } from "./labelled_pictures.ts";
import { listPictures, type PictureSource } from "./list_pictures.ts";

/** Where they are: as `listPictures` takes it, or a data set. */
export type BankPictures = readonly string[] | LabelledSource;

/**
 * Lists them. None is opened.
 *
 * @param where they are
 * @returns with each picture's group, by number, where some share one
 * @throws {TrainerError} when there are none
 */
export async function listBankPictures(
  where: BankPictures,
): Promise<{ readonly pictures: readonly PictureSource[]; readonly groups?: readonly number[] }> {
  return isLabelled(where) ? await readLabelled(where) : { pictures: await listPictures(where) };
}

/** Whether views are to say which picture they are of, so that its label is known. */
export function isLabelled(where: BankPictures): where is LabelledSource {
  return "dataset" in where;
}
