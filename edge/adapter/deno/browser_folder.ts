/**
 * Where `deno task page:build` puts what the page computes with in its visitor's browser: below `.cache/`, which git does not
 * see.
 */

import { projectPath } from "./user_path.ts";

/** The folder. */
export const BROWSER_FOLDER = projectPath(".cache/page");
