/**
 * A witness between browser and server: every byte that the browser sends is kept as it came over the wire, whatever part of
 * the browser sent it. It may also lead to another server from now on, or break connections off.
 */

/** A request, as it was sent. */
export interface SentRequest {
  readonly method: string;
  /** With its query. */
  readonly path: string;
  /** Lines of the head, as they came. */
  readonly head: string;
  /** Length of the body, in bytes. */
  readonly body: number;
}

/** A running proxy. */
export interface RecordingProxy {
  /** Without a slash at the end. */
  readonly url: string;
  /** What was sent since the last time; connections that are at rest are ended, so that all of it is here. */
  take(): { requests: SentRequest[]; bytes: number };
  /** Leads to another server; connections to the last are ended. */
  leadTo(port: number): void;
  /** Ends every connection that has brought the browser so many bytes; without a number, none. */
  breakAfter(bytes?: number): void;
  /** Ends it. */
  stop(): void;
}

/** Starts a proxy before a server on this machine. */
export function startRecordingProxy(port: number): RecordingProxy {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const connections = new Set<{ end: () => void }>();
  let sent: Uint8Array[][] = [];
  let limit = Infinity;

  async function serve(browser: Deno.TcpConn): Promise<void> {
    const server = await Deno.connect({ hostname: "127.0.0.1", port });
    const end = () => {
      connections.delete(connection);
      for (const side of [browser, server]) {
        try {
          side.close();
        } catch {
          // It was closed before.
        }
      }
    };
    const connection = { end };
    connections.add(connection);
    const pieces: Uint8Array[] = [];
    sent.push(pieces);
    const up = async () => {
      for await (const piece of read(browser)) {
        pieces.push(piece);
        await write(server, piece);
      }
    };
    const down = async () => {
      let count = 0;
      for await (const piece of read(server)) {
        await write(browser, piece);
        count += piece.length;
        if (count > limit) return;
      }
    };
    // Where one side ends, so does the other.
    await Promise.race([up(), down()]).catch(() => {});
    end();
  }

  (async () => {
    for await (const browser of listener) serve(browser).catch(() => browser.close());
  })();
  const endAll = () => {
    for (const { end } of [...connections]) end();
  };
  return {
    url: `http://127.0.0.1:${listener.addr.port}`,
    take() {
      endAll();
      const requests = sent.flatMap((pieces) => parseRequests(pieces));
      const bytes = sent.flat().reduce((sum, { length }) => sum + length, 0);
      sent = [];
      return { requests, bytes };
    },
    leadTo(other) {
      port = other;
      endAll();
    },
    breakAfter(bytes = Infinity) {
      limit = bytes;
    },
    stop() {
      listener.close();
      endAll();
    },
  };
}

async function* read(connection: Deno.TcpConn): AsyncGenerator<Uint8Array> {
  const buffer = new Uint8Array(65_536);
  for (;;) {
    const count = await connection.read(buffer);
    if (count === null) return;
    yield buffer.slice(0, count);
  }
}

async function write(connection: Deno.TcpConn, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await connection.write(bytes.subarray(at));
}

/** Requests that came one after the other (RFC 9112), whose bodies say how long they are. */
function parseRequests(pieces: readonly Uint8Array[]): SentRequest[] {
  // Characters of Latin-1 are bytes.
  let rest = pieces.map((piece) => new TextDecoder("latin1").decode(piece)).join("");
  const requests: SentRequest[] = [];
  while (rest !== "") {
    const end = rest.indexOf("\r\n\r\n") + 4;
    const head = rest.slice(0, end);
    const [, method, path] = head.match(/^([A-Z]+) (\S+) HTTP\/1\.1\r\n/) ?? [];
    if (method === undefined) throw new Error(`This is no request: ${rest.slice(0, 80)}`);
    if (/^transfer-encoding:/im.test(head)) throw new Error(`The length is not known: ${head}`);
    const body = Number(head.match(/^content-length: *(\d+)\r$/im)?.[1] ?? 0);
    requests.push({ method, path, head, body });
    rest = rest.slice(end + body);
  }
  return requests;
}
