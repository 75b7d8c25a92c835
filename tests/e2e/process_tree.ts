/**
 * A process and all that it started: tools that start others do not always end them.
 */

/**
 * Lists a process and its descendants.
 *
 * @param root its id
 * @returns ids of those that live, itself among them
 */
export async function listProcessTree(root: number): Promise<number[]> {
  const parents = await listParents();
  const tree = parents.has(root) ? [root] : [];
  for (const id of tree) {
    for (const [child, parent] of parents) if (parent === id) tree.push(child);
  }
  return tree;
}

/**
 * Says which processes still live.
 *
 * @param ids of processes
 */
export async function listAlive(ids: readonly number[]): Promise<number[]> {
  const parents = await listParents();
  return ids.filter((id) => parents.has(id));
}

/** The parent of every process but those that have ended and wait to be noticed. */
async function listParents(): Promise<Map<number, number>> {
  const ps = new Deno.Command("ps", { args: ["-A", "-o", "pid=,ppid=,stat="] });
  const { stdout } = await ps.output();
  const lines = new TextDecoder().decode(stdout).trim().split("\n").map((l) =>
    l.trim().split(/\s+/)
  );
  return new Map(
    lines.filter(([, , state]) => !state.startsWith("Z"))
      .map(([id, parent]) => [Number(id), Number(parent)]),
  );
}
