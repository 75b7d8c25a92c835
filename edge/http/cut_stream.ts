/**
 * Parts of streams, where what they come from knows no ranges.
 */

/** A file that flows. */
type FileStream = ReadableStream<Uint8Array<ArrayBuffer>>;

/**
 * Leaves the first bytes of a stream out.
 *
 * @param stream of any length
 * @param count how many; the stream itself, where that is none
 */
export function skipBytes(stream: FileStream, count: number): FileStream {
  if (count === 0) return stream;
  let left = count;
  return stream.pipeThrough(
    new TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>>({
      transform(piece, controller) {
        if (piece.length > left) controller.enqueue(piece.subarray(left));
        left = Math.max(0, left - piece.length);
      },
    }),
  );
}

/**
 * Ends a stream after its first bytes, and lets go of what it comes from.
 *
 * @param stream of any length
 * @param count how many, from 1
 */
export function takeBytes(stream: FileStream, count: number): FileStream {
  let left = count;
  return stream.pipeThrough(
    new TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>>({
      transform(piece, controller) {
        controller.enqueue(piece.subarray(0, left));
        left -= piece.length;
        if (left <= 0) controller.terminate();
      },
    }),
  );
}
