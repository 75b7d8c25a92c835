// @ts-check
/**
 * How far a download is whose files are known beforehand only in part: what the browser can do
 * decides which runtime and which variant of the encoder come, so that of such alternatives the
 * first stands for all until one begins.
 *
 * @module
 */

/**
 * @typedef {import("../http_source.ts").FileProgress} FileProgress
 * @typedef {Readonly<Record<string, { readonly bytes: number }>>} Lengths unpacked, by path
 * @typedef {{ bytes: number, total: number, isCached: boolean }} Download what is here, of how much
 */

/**
 * Adds up what has come.
 *
 * @param {Lengths} lengths of files, some of which may never come
 * @param {readonly (readonly string[])[]} alternatives of each, the first is expected until
 *   another begins
 * @param {readonly string[]} others are expected
 * @returns {(progress?: FileProgress) => Download} what is here, with what has just come
 */
export function sumDownload(lengths, alternatives, others) {
  /** @type {Map<string, FileProgress>} */
  const begun = new Map();
  return (progress) => {
    if (progress) begun.set(progress.path, progress);
    const expected = alternatives.flatMap((paths) =>
      paths.some((path) => begun.has(path)) ? [] : paths.slice(0, 1)
    );
    const all = new Set([...begun.keys(), ...expected, ...others]);
    let bytes = 0;
    let total = 0;
    for (const path of all) {
      const here = begun.get(path)?.bytes ?? 0;
      bytes += here;
      total += Math.max(here, begun.get(path)?.total ?? lengths[path]?.bytes ?? 0);
    }
    return {
      bytes,
      total,
      isCached: begun.size > 0 && [...begun.values()].every(({ isCached }) => isCached),
    };
  };
}
