/**
 * What lies in a folder, to be weighed or sent.
 */

/**
 * Lists the files of a folder.
 *
 * @param folder with sub-folders
 * @returns their paths in it, with `/`, sorted
 */
export async function listFiles(folder: string): Promise<string[]> {
  const files: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    if (isDirectory) {
      for (const inner of await listFiles(`${folder}/${name}`)) files.push(`${name}/${inner}`);
    } else files.push(name);
  }
  return files.sort();
}
