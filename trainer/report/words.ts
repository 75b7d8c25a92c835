/**
 * Numbers and names as a report says them.
 */

import { findTaxonomy } from "@clip-e/shared";
import type { Interval, TaskResult } from "../evaluation/experiment.ts";

/** A share in percent, without the sign: `80.9`. */
export function percent(share: number): string {
  return (share * 100).toFixed(1);
}

/** The same with its sign, on one line: `80.9 %`. */
export function percentSign(share: number): string {
  return `${percent(share)}\u00a0%`;
}

/** A number of pictures: `53,586`. */
export function count(pictures: number): string {
  return pictures.toLocaleString("en");
}

/** From where to where, in percent: `80.5–81.2`. */
export function percentInterval({ low, high }: Interval): string {
  return `${percent(low)}–${percent(high)}`;
}

/** A chance: `0.012`, or `< 0.001`. */
export function chance(p: number): string {
  return p < 0.001 ? "< 0.001" : p.toFixed(3);
}

/** What people call a taxonomy. */
export function taxonomyTitle(id: string): string {
  return findTaxonomy(id)?.title ?? id;
}

/** What a block of figures is called: `webemo: primary emotions (6 labels)`. */
export function taskTitle({ dataset, taxonomy, labels }: TaskResult): string {
  return `${dataset}: ${taxonomyTitle(taxonomy)} (${labels.length} labels)`;
}
