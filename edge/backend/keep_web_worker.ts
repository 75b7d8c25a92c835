/**
 * The web's `Worker`. Where a runtime has Node's modules too, as Deno does, ONNX Runtime puts Node's `Worker` in its place
 * when it starts, and whoever makes one afterwards waits for a message that never comes.
 */

const webWorker = Object.getOwnPropertyDescriptor(globalThis, "Worker");

/** Puts the web's `Worker` back, where there was one. */
export function keepWebWorker(): void {
  if (webWorker) Object.defineProperty(globalThis, "Worker", webWorker);
}
