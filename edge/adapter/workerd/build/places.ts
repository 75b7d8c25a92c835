/**
 * Where the build writes: below `.cache/`, which git does not see.
 */

import { projectPath } from "../../deno/user_path.ts";

/** The static assets, where `wrangler.jsonc` looks for them. */
export const ASSETS = projectPath(".cache/worker_assets");
/** The configuration that is deployed. */
export const CONFIG = projectPath(".cache/worker/wrangler.json");
/** The Worker as it is uploaded. */
export const UPLOAD = projectPath(".cache/worker/upload");
/** What people write the Worker's configuration in. */
export const TEMPLATE = projectPath("edge/adapter/workerd/wrangler.jsonc");
/** A bundle as it is put into a bucket. */
export const BUCKET = projectPath(".cache/worker/bucket");
