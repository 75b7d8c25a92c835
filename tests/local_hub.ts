/**
 * A model hub on this machine, for tests: the part of the API that the trainer uses, files behind
 * `resolve/`, large ones on a storage server of another origin that the hub redirects to. It keeps
 * account of what is asked for, and misbehaves as told.
 */

import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";

/** A model on the hub. */
export interface LocalModel {
  /** `organisation/name`. */
  readonly name: string;
  /** By path. */
  readonly files: Readonly<Record<string, Uint8Array | string>>;
  /** What its card states. */
  readonly card?: Readonly<Record<string, unknown>>;
  /** What the hub makes of the card, and more. */
  readonly tags?: readonly string[];
  /** Branches and tags; `main` alone by default. */
  readonly revisions?: readonly string[];
  /** Who has it may read; everybody by default. */
  readonly token?: string;
}

/** A request that came. */
export interface HubRequest {
  /** Which server it came to. */
  readonly server: "hub" | "storage";
  /** Path alone. */
  readonly path: string;
  /** Its `Range`, if any. */
  readonly range: string | undefined;
  /** Its `Authorization`, if any. */
  readonly authorization: string | undefined;
}

/** What goes wrong. Bytes count from the file's beginning, whatever range is asked for. */
export type HubFault =
  | {
    /** Answers this instead. */
    readonly status: number;
    /** And with these. */
    readonly headers?: Readonly<Record<string, string>>;
    /** And with this. */
    readonly body?: string;
  }
  /** Closes the connection before this byte. */
  | { readonly cutAt: number }
  /** Sends nothing from this byte on, and does not close. */
  | { readonly silentAt: number }
  /** Sends this byte with all its bits turned. */
  | { readonly flipAt: number }
  /** Sends so many bytes more than the file has. */
  | { readonly surplus: number }
  /** Sends whole files, whatever range is asked for. */
  | { readonly ignoresRange: true };

interface Fault {
  readonly path: string;
  readonly fault: HubFault;
  times: number;
}

interface Entry {
  readonly content: Uint8Array;
  readonly oid: string;
  readonly sha256?: string;
}

/** Options of {@link LocalHub.start}. */
export interface LocalHubOptions {
  /** Files in one page of a listing; 1000 by default. */
  readonly pageSize?: number;
}

/** What Git would keep outside by the hub's own rules. */
const LARGE = /\.(onnx|onnx_data|safetensors|bin|h5|hdf5)$/;

/** A running hub. */
export class LocalHub implements AsyncDisposable {
  /** All requests, in order. */
  readonly requests: HubRequest[] = [];
  /** Its address. */
  endpoint = "";
  /** Address of the server that has its large files. */
  storage = "";
  readonly #models = new Map<string, LocalModel>();
  readonly #faults: Fault[] = [];
  readonly #pageSize: number;
  readonly #hub: Server;
  readonly #storage: Server;

  private constructor(models: readonly LocalModel[], pageSize: number) {
    for (const model of models) this.#models.set(model.name, model);
    this.#pageSize = pageSize;
    this.#hub = createServer((request, response) => this.#answer("hub", request, response));
    this.#storage = createServer((request, response) => this.#answer("storage", request, response));
  }

  /**
   * Starts a hub on a port of the system's choice.
   *
   * @param models that it has
   * @param options of its behaviour
   */
  static async start(
    models: readonly LocalModel[],
    { pageSize = 1000 }: LocalHubOptions = {},
  ): Promise<LocalHub> {
    const hub = new LocalHub(models, pageSize);
    hub.endpoint = await listen(hub.#hub);
    hub.storage = await listen(hub.#storage);
    return hub;
  }

  /** Stops it, and cuts all connections. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const server of [this.#hub, this.#storage]) {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    }
  }

  /** Puts a model in place of that of the same name, as a push would. */
  push(model: LocalModel): void {
    this.#models.set(model.name, model);
  }

  /** The commit that a model's branches and tags mean, 40 hexadecimal digits. */
  commitOf(name: string): string {
    const model = this.#models.get(name);
    if (!model) throw new Error(`The local hub has no model ${name}`);
    const hash = createHash("sha1").update(name);
    for (const [path, { oid }] of entriesOf(model)) hash.update(`${path} ${oid}\n`);
    return hash.digest("hex");
  }

  /**
   * Makes it misbehave.
   *
   * @param path part of the paths where it does: of the API, of `/NAME/resolve/COMMIT/FILE` on the
   * hub, or of `/storage/NAME/FILE` on the storage server
   * @param fault what it does
   * @param times how often; always by default
   */
  misbehave(path: string, fault: HubFault, times = Infinity): void {
    this.#faults.push({ path, fault, times });
  }

  /** Ends all misbehaviour, and forgets all requests. */
  reset(): void {
    this.#faults.length = 0;
    this.requests.length = 0;
  }

  /** Requests for what is in files, each once, whether redirected or not. */
  get contentRequests(): HubRequest[] {
    return this.requests.filter(({ path }) => path.includes("/resolve/"));
  }

  #take<T extends HubFault>(path: string, isKind: (fault: HubFault) => fault is T): T | undefined {
    const found = this.#faults.find((it) =>
      it.times > 0 && path.includes(it.path) && isKind(it.fault)
    );
    if (!found) return undefined;
    found.times--;
    return isKind(found.fault) ? found.fault : undefined;
  }

  #answer(server: HubRequest["server"], request: IncomingMessage, response: ServerResponse): void {
    const url = new URL(request.url ?? "/", this.endpoint);
    const path = decodeURIComponent(url.pathname);
    const { range, authorization } = request.headers;
    this.requests.push({ server, path, range, authorization });
    const fault = this.#take(path, (it) => "status" in it);
    if (fault) {
      response.writeHead(fault.status, fault.headers).end(fault.body ?? "");
      return;
    }
    const [, name, file] = path.match(/^\/storage\/([^/]+\/[^/]+)\/(.+)$/) ?? [];
    const model = this.#models.get(name);
    const stored = model && entriesOf(model).get(file);
    if (server === "storage" && stored) this.#send(path, stored, request, response);
    else if (server === "storage") response.writeHead(403).end();
    else this.#answerHub(url, path, request, response);
  }

  #answerHub(url: URL, path: string, request: IncomingMessage, response: ServerResponse): void {
    const api = path.match(/^\/api\/models\/([^/]+\/[^/]+)\/(revision|tree)\/(.+)$/);
    const file = path.match(/^\/([^/]+\/[^/]+)\/(resolve)\/([0-9a-f]{40}|[^/]+)\/(.+)$/);
    const [, name = "", kind, revision = "", filePath = ""] = api ?? file ?? [];
    const model = this.#models.get(name);
    if (!model) return refuse(response, 404, "RepoNotFound", "Repository not found");
    if (model.token && request.headers.authorization !== `Bearer ${model.token}`) {
      return refuse(response, 401, "GatedRepo", "Access to this model is restricted");
    }
    const commit = this.commitOf(name);
    if (revision !== commit && !(model.revisions ?? ["main"]).includes(revision)) {
      return refuse(response, 404, "RevisionNotFound", `Invalid rev id: ${revision}`);
    }
    if (kind === "revision") return sendJson(response, describe(model, commit));
    if (kind === "tree") return this.#sendTree(url, model, response);
    const entry = entriesOf(model).get(filePath);
    if (!entry) return refuse(response, 404, "EntryNotFound", "Entry not found");
    response.setHeader("x-repo-commit", commit);
    if (entry.sha256 === undefined) return this.#send(path, entry, request, response);
    response.writeHead(302, {
      "x-linked-etag": `"${entry.sha256}"`,
      "x-linked-size": entry.content.length,
      location: `${this.storage}/storage/${name}/${encodeURI(filePath)}`,
    }).end();
  }

  #sendTree(url: URL, model: LocalModel, response: ServerResponse): void {
    const all = describeTree(model);
    const start = Number(url.searchParams.get("cursor") ?? 0);
    const end = start + this.#pageSize;
    if (end < all.length) {
      url.searchParams.set("cursor", String(end));
      response.setHeader("link", `<${url}>; rel="next"`);
    }
    sendJson(response, all.slice(start, end));
  }

  /** Sends a file, or the range of it that is asked for. */
  #send(path: string, entry: Entry, request: IncomingMessage, response: ServerResponse): void {
    const flip = this.#take(path, (it) => "flipAt" in it);
    const more = this.#take(path, (it) => "surplus" in it);
    const content = flip || more
      ? new Uint8Array(entry.content.length + (more?.surplus ?? 0))
      : entry.content;
    if (content !== entry.content) content.set(entry.content);
    if (flip) content[flip.flipAt] ^= 0xff;
    const [, from, to] = request.headers.range?.match(/^bytes=(\d+)-(\d*)$/) ?? [];
    const isRange = from !== undefined && !this.#take(path, (it) => "ignoresRange" in it);
    const start = isRange ? Number(from) : 0;
    const end = isRange && to ? Number(to) + 1 : content.length;
    response.writeHead(isRange ? 206 : 200, {
      etag: `"${entry.sha256 ?? entry.oid}"`,
      "content-length": end - start,
      ...(isRange ? { "content-range": `bytes ${start}-${end - 1}/${content.length}` } : {}),
    });
    const cut = this.#take(path, (it) => "cutAt" in it);
    const silent = this.#take(path, (it) => "silentAt" in it);
    if (!cut && !silent) {
      response.end(content.subarray(start, end));
      return;
    }
    const last = Math.max(start, cut?.cutAt ?? silent?.silentAt ?? 0);
    response.flushHeaders();
    // What is written just before a connection is destroyed would be lost with it.
    const destroy = () => cut && setTimeout(() => response.destroy(), 20);
    if (last > start) response.write(content.subarray(start, last), destroy);
    else destroy();
  }
}

async function listen(server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("The hub has no port");
  return `http://127.0.0.1:${address.port}`;
}

/** Models are large enough that hashing one for every request would be felt. */
const ENTRIES = new WeakMap<LocalModel, Map<string, Entry>>();

function entriesOf(model: LocalModel): Map<string, Entry> {
  const known = ENTRIES.get(model) ?? hashEntries(model);
  ENTRIES.set(model, known);
  return known;
}

function hashEntries(model: LocalModel): Map<string, Entry> {
  const entries = Object.entries(model.files).map(([path, file]): [string, Entry] => {
    const content = typeof file === "string" ? new TextEncoder().encode(file) : file;
    if (!LARGE.test(path)) return [path, { content, oid: gitHash(content) }];
    const sha256 = createHash("sha256").update(content).digest("hex");
    return [path, { content, sha256, oid: gitHash(pointerTo(sha256, content.length)) }];
  });
  return new Map(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** As `git hash-object` has it. */
function gitHash(content: Uint8Array): string {
  return createHash("sha1").update(`blob ${content.length}\0`).update(content).digest("hex");
}

/** What Git keeps in place of a large file, by the specification of Git LFS. */
function pointerTo(sha256: string, size: number): Uint8Array {
  return new TextEncoder().encode(
    `version https://git-lfs.github.com/spec/v1\noid sha256:${sha256}\nsize ${size}\n`,
  );
}

function describe({ name, card, tags = [], token }: LocalModel, commit: string): unknown {
  return {
    _id: "0".repeat(24),
    id: name,
    sha: commit,
    private: false,
    gated: token ? "manual" : false,
    downloads: 0,
    likes: 0,
    lastModified: "2024-01-01T00:00:00.000Z",
    tags,
    ...(card ? { cardData: card } : {}),
  };
}

function describeTree(model: LocalModel): unknown[] {
  const entries = [...entriesOf(model)];
  const folders = new Set(
    entries.flatMap(([path]) => path.includes("/") ? [path.slice(0, path.lastIndexOf("/"))] : []),
  );
  return [
    ...[...folders].map((path) => ({
      type: "directory",
      oid: gitHash(new Uint8Array()),
      size: 0,
      path,
    })),
    ...entries.map(([path, { content, oid, sha256 }]) => ({
      type: "file",
      oid,
      size: content.length,
      path,
      ...(sha256 === undefined ? {} : {
        lfs: {
          oid: sha256,
          size: content.length,
          pointerSize: pointerTo(sha256, content.length).length,
        },
      }),
    })),
  ];
}

function sendJson(response: ServerResponse, value: unknown): void {
  response.setHeader("content-type", "application/json; charset=utf-8");
  response.end(JSON.stringify(value));
}

function refuse(response: ServerResponse, status: number, code: string, words: string): void {
  response.writeHead(status, {
    "content-type": "application/json; charset=utf-8",
    "x-error-code": code,
    "x-error-message": words,
  });
  response.end(JSON.stringify({ error: words }));
}
