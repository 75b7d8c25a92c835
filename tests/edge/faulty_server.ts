/**
 * A static host that behaves as a test wants: each request may be answered in another way than with the file.
 */

import type { BundleFiles } from "../synthetic_bundle.ts";

/** A running host. */
export interface FaultyServer {
  /** With a slash at the end. */
  readonly url: string;
  /** What it was asked for. */
  readonly requests: readonly Pick<Request, "url" | "headers">[];
  /** How often it was asked for a file. */
  count(path: string): number;
  /** Forgets what it was asked for. */
  forget(): void;
}

/** Answers a request in another way; `undefined` for the file as it is. */
export type Fault = (
  path: string,
  bytes: Uint8Array<ArrayBuffer> | undefined,
  request: Request,
  times: number,
) => Response | Promise<Response> | undefined;

/**
 * Serves files while something runs.
 *
 * @param files by path
 * @param fault which requests are answered otherwise; `times` counts those for the same path, from 1
 * @param use what runs
 */
export async function withServer(
  files: BundleFiles,
  fault: Fault,
  use: (server: FaultyServer) => Promise<void>,
): Promise<void> {
  const requests: Pick<Request, "url" | "headers">[] = [];
  const pathOf = (url: string) => new URL(url).pathname.slice(1);
  const count = (path: string) => requests.filter(({ url }) => pathOf(url) === path).length;
  const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, (request) => {
    // A request's headers cannot be read once it is answered.
    requests.push({ url: request.url, headers: new Headers(request.headers) });
    const path = pathOf(request.url);
    const bytes = files.get(path);
    const answer = fault(path, bytes, request, count(path));
    return answer ?? (bytes ? new Response(bytes) : new Response("not here", { status: 404 }));
  });
  try {
    await use({
      url: `http://127.0.0.1:${server.addr.port}/`,
      requests,
      count,
      forget: () => requests.splice(0),
    });
  } finally {
    await server.shutdown();
  }
}

/** A file whose connection ends after some bytes, of which a client may lose the last. */
export function cutAfter(bytes: Uint8Array<ArrayBuffer>, count: number): Response {
  const body = new ReadableStream({
    start: (controller) => controller.enqueue(bytes.slice(0, count)),
    async pull(controller) {
      // So that they are on their way before the connection ends.
      await new Promise((resolve) => setTimeout(resolve, 20));
      controller.close();
    },
  });
  return new Response(body, { headers: { "Content-Length": String(bytes.length) } });
}

/** The part of a file that a `Range` header asks for. */
export function partOf(bytes: Uint8Array<ArrayBuffer>, request: Request): Response | undefined {
  const from = request.headers.get("Range")?.match(/^bytes=(\d+)-$/)?.[1];
  if (from === undefined) return undefined;
  return new Response(bytes.slice(Number(from)), {
    status: 206,
    headers: { "Content-Range": `bytes ${from}-${bytes.length - 1}/${bytes.length}` },
  });
}
