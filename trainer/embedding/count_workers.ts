/**
 * How many workers a machine has room for: one to each core, unless the encoder is large. Each has a session of its own,
 * which takes about twice the encoder's bytes (measured: 750 MB for the 352 MB of ViT-B/32), and half of the memory is left to
 * others.
 */

/** Of a worker without an encoder, in bytes. */
const WORKER_BYTES = 100e6;

/** What a machine has. */
export interface Machine {
  /** Of its processors. */
  readonly cores: number;
  /** That nobody uses, in bytes. */
  readonly memory: number;
}

/**
 * How many workers to start.
 *
 * @param encoderBytes of the encoder, with its weights' files
 * @param machine which; by default this one, taken to have 4 GB free where its memory may not be asked for
 * @returns at least 1
 */
export function countWorkers(encoderBytes: number, machine: Machine = thisMachine()): number {
  const room = Math.floor(machine.memory / 2 / (2.2 * encoderBytes + WORKER_BYTES));
  return Math.max(1, Math.min(machine.cores, room));
}

function thisMachine(): Machine {
  return { cores: navigator.hardwareConcurrency, memory: freeMemory() };
}

function freeMemory(): number {
  try {
    return Deno.systemMemoryInfo().available;
  } catch {
    return 4e9;
  }
}
