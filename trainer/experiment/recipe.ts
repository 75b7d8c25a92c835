/**
 * How heads are fitted, by how much there is to learn from: the published way where there is plenty, and otherwise one that
 * does not learn a few pictures by heart.
 */

import type { Example } from "../data/dataset.ts";
import type { Preset } from "../fit/fit_options.ts";

/** A way to fit heads. */
export interface Recipe {
  /** Its defaults. */
  readonly preset: Preset;
  /** Heads that are averaged. */
  readonly members: number;
  /** The share of pictures that is held back from all of them; 0 where they take turns. */
  readonly validation: number;
}

/** From so many training pictures on, the published way. */
const PLENTY = 20_000;

/** Of pictures to learn from, where a single head is fitted. */
const HELD_BACK = 0.1;

/**
 * Chooses a recipe.
 *
 * @param examples of which those outside of a test part are learnt from
 * @param asked by the user
 */
export function chooseRecipe(
  examples: readonly Example[],
  asked: { readonly recipe: Preset | undefined; readonly members: number | undefined },
): Recipe {
  const count = examples.filter(({ split }) => split !== "test").length;
  const preset = asked.recipe ?? (count >= PLENTY ? "paper" : "small");
  const members = asked.members ?? (preset === "paper" ? 1 : 4);
  return { preset, members, validation: members === 1 ? HELD_BACK : 0 };
}
