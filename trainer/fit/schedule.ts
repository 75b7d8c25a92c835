/**
 * How large each step is.
 */

/** The same size throughout, or falling to 0 along half a cosine (arXiv 1608.03983, without restarts). */
export type Schedule = "constant" | "cosine";

/** Of a training run. */
export interface ScheduleOptions {
  /** The size of the largest steps. */
  readonly learningRate: number;
  /** How sizes change after the warm-up. */
  readonly schedule: Schedule;
  /** The share of all steps over which sizes first grow from 0, at least 0 and below 1. */
  readonly warmUp: number;
  /** How many steps there are if nothing stops them early. */
  readonly steps: number;
}

/**
 * The size of a step.
 *
 * @param step from 0
 * @param options of the run
 */
export function learningRateAt(
  step: number,
  { learningRate, schedule, warmUp, steps }: ScheduleOptions,
): number {
  const warm = Math.round(warmUp * steps);
  if (step < warm) return learningRate * (step + 1) / warm;
  if (schedule === "constant") return learningRate;
  return learningRate * (1 + Math.cos(Math.PI * (step - warm) / (steps - warm))) / 2;
}
