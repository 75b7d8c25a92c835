// @ts-check
/**
 * Numbers as people read them.
 *
 * @module
 */

/**
 * @param {number} share from 0 to 1
 * @returns {string} such as 67%, 3.2% or <0.1%
 */
export function percent(share) {
  if (share > 0 && share < 0.001) return "<0.1%";
  return `${(share * 100).toFixed(share > 0 && share < 0.0995 ? 1 : 0)}%`;
}

/**
 * @param {number} time in milliseconds
 * @returns {string} such as 1.4 ms or 35 ms
 */
export function milliseconds(time) {
  return `${time < 10 ? Number(time.toFixed(1)) : Math.round(time)} ms`;
}

/**
 * @param {number} bytes
 * @returns {string} such as 14.1 MB: of a million bytes, as browsers count downloads
 */
export function megabytes(bytes) {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}
