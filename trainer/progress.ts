/**
 * Progress of long work, on stderr: a bar in a terminal, a line at the end elsewhere.
 */

import { ProgressBar } from "@std/cli/unstable-progress-bar";

/** Progress of one piece of work. */
export interface Progress {
  /** One more step is done. */
  step(): void;
  /** So many steps are done, of which some cost nothing: they say nothing of the time that is left. */
  set(value: number, free?: number): void;
  /** What is going on, in a few words. */
  note(words: string): void;
  /** The work is over, whole or not. */
  stop(): Promise<void>;
}

/**
 * Begins to show progress.
 *
 * @param what the work, in a word
 * @param max how many steps it has
 */
export function startProgress(what: string, max: number): Progress {
  if (!Deno.stderr.isTerminal()) return startLine(what, max);
  let words = "";
  let free = 0;
  const bar = new ProgressBar({
    max,
    barLength: 30,
    clear: true,
    fillChar: "█",
    emptyChar: "░",
    formatter: ({ progressBar, value, time }) =>
      `${what} ${progressBar} ${value}/${max}  ${timeLeft(value, time)}  ${words}`,
  });
  return {
    step: () => void bar.value++,
    set: (value, freeOfThem = 0) => {
      bar.value = value;
      free = freeOfThem;
    },
    note: (next) => void (words = next),
    stop: () => bar.stop(),
  };

  function timeLeft(value: number, elapsed: number): string {
    if (value <= free) return "";
    const seconds = Math.round((elapsed / (value - free)) * (max - value) / 1000);
    return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")} left`;
  }
}

function startLine(what: string, max: number): Progress {
  let done = 0;
  const start = performance.now();
  return {
    step: () => void done++,
    set: (value) => void (done = value),
    note: () => {},
    stop: () => {
      const seconds = ((performance.now() - start) / 1000).toFixed(1);
      console.error(`${what}: ${done} of ${max} in ${seconds} s`);
      return Promise.resolve();
    },
  };
}
