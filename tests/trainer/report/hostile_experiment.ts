/**
 * An experiment whose every word was chosen by somebody who wants to run a script in its report.
 */

import type { Experiment } from "../../../trainer/evaluation/experiment.ts";
import { makeSyntheticExperiment } from "./synthetic_experiment.ts";

/** Ends an attribute, a style and an element, and starts a script. */
export const HOSTILE =
  `"'></style></svg></td><script>window.hit = 1</script><img src=x onerror=hit()>|\u202e`;

/** Makes the experiment, with one task. */
export function makeHostileExperiment(): Experiment {
  const hostile = (value: unknown, key?: string): unknown => {
    if (typeof value === "string") return key === "thumbnail" ? value : value + HOSTILE;
    if (Array.isArray(value)) return value.map((item) => hostile(item, key));
    if (value === null || typeof value !== "object") return value;
    return Object.fromEntries(
      Object.entries(value).map(([name, inner]) => [name, hostile(inner, name)]),
    );
  };
  const experiment = makeSyntheticExperiment();
  const [task, , , other] = experiment.tasks;
  const few = { ...experiment, tasks: [task, other], curves: experiment.curves.slice(0, 9) };
  return hostile(few) as Experiment;
}
