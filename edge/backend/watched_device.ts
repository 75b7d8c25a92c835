/**
 * A WebGPU device whose errors are never silent. By themselves they do not throw: they are told to nobody, and the numbers
 * stay what they were. Here whatever goes wrong while a task runs fails the task, and once something went wrong no other
 * task begins.
 */

import { BackendLost } from "./backend_lost.ts";

/** Every kind of error that WebGPU knows. */
const KINDS: readonly GPUErrorFilter[] = ["validation", "out-of-memory", "internal"];

/** Runs what uses a device. Tasks must not overlap. */
export interface WatchedDevice {
  /** Why it is of no use any more; absent while it is. */
  readonly failure: string | undefined;
  /**
   * Runs a task.
   *
   * @param task that uses the device
   * @throws {BackendLost} when the device fails, or failed before; the task is not waited for then
   */
  run<T>(task: () => Promise<T>): Promise<T>;
  /**
   * Gives the device up.
   *
   * @param why a part of a sentence
   * @returns the error of the task that is given up with it
   */
  giveUp(why: string): BackendLost;
}

/**
 * Watches a device.
 *
 * @param device fresh
 */
export function watchDevice(device: GPUDevice): WatchedDevice {
  let failure: string | undefined;
  let fail: (lost: BackendLost) => void = () => {};

  function giveUp(why: string): BackendLost {
    failure ??= why;
    const lost = new BackendLost(`WebGPU failed: ${failure}`);
    fail(lost);
    device.destroy();
    return lost;
  }

  device.lost.then(({ message, reason }) => {
    giveUp(`the device was lost (${message || reason || "without a reason"})`);
  });
  device.addEventListener("uncapturederror", (event) => {
    giveUp((event as GPUUncapturedErrorEvent).error.message);
  });

  /** Runs a task; its errors are told before its result, which without them nobody would know to be wrong. */
  async function collectErrors<T>(task: () => Promise<T>): Promise<T> {
    for (const kind of KINDS) device.pushErrorScope(kind);
    const [outcome] = await Promise.allSettled([task()]);
    const errors = await Promise.all(KINDS.map(() => device.popErrorScope()));
    const error = errors.find((error) => error !== null);
    if (error) throw giveUp(error.message);
    if (outcome.status === "rejected") throw outcome.reason;
    return outcome.value;
  }

  return {
    get failure() {
      return failure;
    },
    giveUp,
    run(task) {
      return new Promise((resolve, reject) => {
        if (failure !== undefined) return reject(giveUp(failure));
        fail = reject;
        collectErrors(task).then(resolve, reject);
      });
    },
  };
}
