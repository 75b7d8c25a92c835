/**
 * The Worker behind an entry that counts: what it reads, and how long its WebAssembly memories are. They are known by weak
 * references, so that one which the Worker lets go may go.
 */

import { fileURLToPath } from "node:url";
import { ROOT } from "./task_command.ts";
import { type ConfiguredWorker, startConfiguredWorker } from "./worker_process.ts";

/** What the entry counted. */
export interface WorkerMeasures {
  /** Bytes of every WebAssembly memory that is still there, in the order in which they came. */
  readonly memories: readonly number[];
  /** How many there have been. */
  readonly instances: number;
  /** Paths of static assets, as they were asked for. */
  readonly asked: readonly string[];
}

/** A Worker that tells of itself. */
export interface MeasuredWorker extends ConfiguredWorker {
  /** What was counted until now. */
  measure(): Promise<WorkerMeasures>;
  /** Has V8 let go of what nobody holds. */
  collectGarbage(): Promise<void>;
}

/** Loaded first, since ONNX Runtime and the decoders make their memories by these. */
const RECORDER = `
const memories = [];
const note = (memory) => memories.push(new WeakRef(memory));
const noteExports = (instance) => {
  for (const value of Object.values(instance.exports)) {
    if (value instanceof Memory) note(value);
  }
  return instance;
};
const { Memory, Instance, instantiate } = WebAssembly;
WebAssembly.Memory = new Proxy(Memory, {
  construct: (target, args) => {
    const memory = new target(...args);
    note(memory);
    return memory;
  },
});
WebAssembly.Instance = new Proxy(Instance, {
  construct: (target, args) => noteExports(new target(...args)),
});
WebAssembly.instantiate = async (source, imports) => {
  const result = await instantiate.call(WebAssembly, source, imports);
  noteExports(result.instance ?? result);
  return result;
};
export const measures = () => {
  const alive = [...new Set(memories.map((memory) => memory.deref()))].filter(Boolean);
  return { memories: alive.map(({ buffer }) => buffer.byteLength), instances: memories.length };
};
`;

const entry = (worker: string) => `
import { measures } from "./recorder.js";
import worker from ${JSON.stringify(worker)};

const asked = [];
export default {
  fetch(request, env, context) {
    const { pathname } = new URL(request.url);
    if (pathname === "/test/measures") return Response.json({ ...measures(), asked });
    const ASSETS = {
      fetch(url) {
        asked.push(url.pathname);
        return env.ASSETS.fetch(url);
      },
    };
    return worker.fetch(request, { ...env, ASSETS }, context);
  },
};
`;

/**
 * Starts one.
 *
 * @param bundle its folder, relative to the project
 */
export async function startMeasuredWorker(bundle: string): Promise<MeasuredWorker> {
  const worker = await startConfiguredWorker(bundle, async (config, folder) => {
    await Deno.writeTextFile(`${folder}recorder.js`, RECORDER);
    await Deno.writeTextFile(`${folder}entry.js`, entry(config.main));
    return { ...config, main: `${folder}entry.js` };
  });
  const measure = async () => await (await fetch(`${worker.url}/test/measures`)).json();
  return {
    ...worker,
    measure,
    async collectGarbage() {
      const collected = callInspector(worker.inspectorPort, "HeapProfiler.collectGarbage");
      // An idle isolate hears the inspector only when it wakes.
      const waking = setInterval(measure, 100);
      await collected.finally(() => clearInterval(waking));
    },
  };
}

/** Calls a method of V8's inspector and waits for its result. */
async function callInspector(port: number, method: string): Promise<void> {
  const origin = `http://127.0.0.1:${port}`;
  // wrangler asks for an origin; Deno's own option, which the web's declaration does not have.
  const options = { headers: { Origin: origin } } as unknown as string[];
  const socket = new WebSocket(`${origin.replace("http", "ws")}/ws`, options);
  try {
    await new Promise<void>((resolve, reject) => {
      socket.onopen = () => socket.send(JSON.stringify({ id: 1, method }));
      socket.onmessage = ({ data }) => {
        const { id, error } = JSON.parse(String(data));
        if (id === 1) error ? reject(new Error(error.message)) : resolve();
      };
      socket.onerror = () => reject(new Error(`The inspector at port ${port} does not answer`));
    });
  } finally {
    // wrangler says goodbye only when it ends, so that nobody waits for it.
    socket.close();
  }
}

/** The bundle that the project brings. */
export const TINY: string = fileURLToPath(new URL("fixtures/bundles/tiny", ROOT));
