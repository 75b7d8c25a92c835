/**
 * Records of requests as lines of a log.
 */

import type { RequestRecord } from "./request_record.ts";

/** `json` for programs, `text` for people. */
export type LogFormat = "json" | "text";

/**
 * Writes a record as one line.
 *
 * @param record of a request
 * @param format of the line
 * @param time when it was answered
 */
export function formatRecord(
  record: RequestRecord,
  format: LogFormat,
  time: Date = new Date(),
): string {
  const { method, path, status, milliseconds, pictures, code } = record;
  const rounded = milliseconds === undefined ? undefined : Number(milliseconds.toFixed(1));
  if (format === "json") {
    return JSON.stringify({ time, method, path, status, milliseconds: rounded, pictures, code });
  }
  return [
    time.toISOString(),
    method,
    path,
    status,
    ...(code ? [code] : []),
    ...(pictures > 0 ? [pictures === 1 ? "1 picture" : `${pictures} pictures`] : []),
    ...(rounded === undefined ? [] : [`${rounded} ms`]),
  ].join(" ");
}
