/**
 * A bucket of R2, which is filled apart from the Worker: another bundle needs no deployment.
 */

import type { Store, StoredFile } from "./parted_files.ts";

/** The binding of a bucket, as far as it is used. */
export interface Bucket {
  /** Gives an object by its key; `null` where there is none. */
  get(key: string): Promise<StoredFile | null>;
}

/**
 * Objects of a bucket.
 *
 * @param bucket the binding
 * @param prefix of every key, with or without a slash at its end; empty for none
 */
export function bucketStore(bucket: Bucket, prefix: string): Store {
  const folder = prefix === "" || prefix.endsWith("/") ? prefix : `${prefix}/`;
  return async (path) => await bucket.get(folder + path) ?? undefined;
}
