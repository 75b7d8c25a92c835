/**
 * Lengths of streams on workerd, which leaves `Content-Length` out unless the stream itself knows how long it is.
 */

/** workerd's own: a stream of so many bytes. */
type FixedLengthStream = new (bytes: number) => TransformStream<Uint8Array, Uint8Array>;

/**
 * Lets an answer have the length that it says it has.
 *
 * @param response as the app made it
 */
export function withKnownLength(response: Response): Response {
  const length = response.headers.get("Content-Length");
  if (!response.body || length === null || !("FixedLengthStream" in globalThis)) return response;
  const { FixedLengthStream } = globalThis as unknown as { FixedLengthStream: FixedLengthStream };
  const body = response.body.pipeThrough(new FixedLengthStream(Number(length)));
  // A body that is packed already stays as it is.
  const { status, headers } = response;
  return new Response(body, { status, headers, encodeBody: "manual" } as ResponseInit);
}
