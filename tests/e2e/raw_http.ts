/**
 * HTTP/1.1 by hand (RFC 9112), for what `fetch` is too well behaved to send: bodies that trickle, stop, or never end.
 */

/** An answer, read without any library. */
export interface RawResponse {
  /** Its status. */
  readonly status: number;
  /** Its headers, by lower-case name. */
  readonly headers: ReadonlyMap<string, string>;
  /** Its body. */
  readonly body: string;
}

/**
 * Opens a connection and sends the head of a request; its body is the caller's to write.
 *
 * @param port on this machine
 * @param lines the request line and headers
 */
export async function openRequest(port: number, lines: readonly string[]): Promise<Deno.TcpConn> {
  const connection = await Deno.connect({ hostname: "127.0.0.1", port });
  await writeAll(connection, encode([...lines, "", ""].join("\r\n")));
  return connection;
}

/**
 * Writes all of some bytes.
 *
 * @param connection open
 * @param bytes to write
 */
export async function writeAll(connection: Deno.TcpConn, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await connection.write(bytes.subarray(at));
}

/**
 * Bytes as one chunk of a chunked body.
 *
 * @param bytes at least one
 */
export function chunk(bytes: Uint8Array): Uint8Array {
  const head = encode(`${bytes.length.toString(16)}\r\n`);
  const all = new Uint8Array(head.length + bytes.length + 2);
  all.set(head);
  all.set(bytes, head.length);
  all.set(encode("\r\n"), head.length + bytes.length);
  return all;
}

/**
 * Reads an answer that states its length.
 *
 * @param connection whose request was sent, or as much of it as there will be
 * @throws {Error} when the connection ends first
 */
export async function readResponse(connection: Deno.TcpConn): Promise<RawResponse> {
  let text = "";
  const decoder = new TextDecoder("latin1");
  const buffer = new Uint8Array(16 * 1024);
  while (true) {
    const end = text.indexOf("\r\n\r\n");
    if (end >= 0) {
      const [statusLine, ...lines] = text.slice(0, end).split("\r\n");
      const headers = new Map(lines.map((line) => {
        const colon = line.indexOf(":");
        return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()] as const;
      }));
      const body = text.slice(end + 4);
      const length = Number(headers.get("content-length"));
      if (body.length >= length) return { status: Number(statusLine.split(" ")[1]), headers, body };
    }
    const count = await connection.read(buffer);
    if (count === null) throw new Error(`The connection ended after ${JSON.stringify(text)}`);
    text += decoder.decode(buffer.subarray(0, count));
  }
}

function encode(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
