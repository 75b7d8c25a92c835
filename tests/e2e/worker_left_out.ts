/**
 * Whether tests of the Worker can run here: where machines check the project, a missing part is a failure and not an excuse.
 */

import { findMissingWrangler } from "./worker_process.ts";

const missing = Deno.env.get("CI") === "true" ? undefined : await findMissingWrangler();
if (missing !== undefined) console.warn(`Tests of the Worker are left out: ${missing}`);

/** To be given to each of these tests. */
export const ignoreWorkers: boolean = missing !== undefined;
