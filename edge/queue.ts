/**
 * A queue: tasks that must not overlap.
 */

/** Runs a task when those before it have ended, however they ended. */
export type Queue = <T>(task: () => Promise<T>) => Promise<T>;

/** Makes a queue. */
export function createQueue(): Queue {
  let last: Promise<unknown> = Promise.resolve();
  return (task) => {
    const run = last.then(task, task);
    last = run.catch(() => {});
    return run;
  };
}
