/**
 * The page's files on disk: the app's own, and those of Swagger UI from its package.
 */

import type { PageSource } from "../../app/page.ts";
import { BROWSER_FOLDER } from "./browser_folder.ts";
import { folderSource } from "./folder_source.ts";

const own = folderSource(new URL("../../page/", import.meta.url));

/** Reads the page's files. */
export const pageSource: PageSource = {
  read: async (name) => {
    if (!name.startsWith("swagger-ui")) return await own.read(name);
    return await Deno.readFile(new URL(import.meta.resolve(`swagger-ui-dist/${name}`)));
  },
};

/** Reads what `deno task page:build` made. */
export const browserSource: PageSource = folderSource(BROWSER_FOLDER);
