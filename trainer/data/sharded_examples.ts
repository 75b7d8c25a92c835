/**
 * What every reader of a data set in a few large files returns.
 */

import type { Example } from "./dataset.ts";

/** What a data set in a few large files is read as. */
export interface ShardedExamples {
  /** At least one. */
  readonly examples: readonly Example[];
  /** Sentences for the user. */
  readonly notes: readonly string[];
  /** Closes the files. */
  readonly close: () => Promise<void>;
}
