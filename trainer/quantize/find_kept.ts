/**
 * Which of many things have to be kept, in few trials: the search knows nothing of models.
 */

/**
 * Finds a small set that has to be kept. It takes the first of a ranking until enough are kept, by doubling and bisection,
 * and then gives up, in ever smaller groups, those that turn out not to be needed.
 *
 * @param ranked the one first that is most likely to be needed
 * @param isEnough tries whether it is enough to keep some, which stand in the order of the ranking
 * @returns a set that is enough, and of which none can be given up alone; `undefined` when all are not enough
 */
export async function findKept<T>(
  ranked: readonly T[],
  isEnough: (kept: readonly T[]) => Promise<boolean>,
): Promise<readonly T[] | undefined> {
  if (await isEnough([])) return [];
  let [tooFew, enough] = [0, Math.min(1, ranked.length)];
  while (!await isEnough(ranked.slice(0, enough))) {
    if (enough === ranked.length) return undefined;
    [tooFew, enough] = [enough, Math.min(2 * enough, ranked.length)];
  }
  while (enough - tooFew > 1) {
    const middle = Math.floor((tooFew + enough) / 2);
    if (await isEnough(ranked.slice(0, middle))) enough = middle;
    else tooFew = middle;
  }
  return await giveUp(ranked.slice(0, enough), isEnough);
}

/** Gives up what is not needed, the last of the ranking first. */
async function giveUp<T>(
  all: readonly T[],
  isEnough: (kept: readonly T[]) => Promise<boolean>,
): Promise<readonly T[]> {
  let kept = all;
  // Without any it was not enough, and without the last one neither: bisection has tried both.
  const groups = halves(all.slice(0, -1));
  for (let group = groups.pop(); group; group = groups.pop()) {
    const gone = new Set(group);
    const rest = kept.filter((one) => !gone.has(one));
    if (await isEnough(rest)) kept = rest;
    else if (group.length > 1) groups.push(...halves(group));
  }
  return kept;
}

function halves<T>(all: readonly T[]): (readonly T[])[] {
  const middle = Math.ceil(all.length / 2);
  return [all.slice(0, middle), all.slice(middle)].filter(({ length }) => length > 0);
}
