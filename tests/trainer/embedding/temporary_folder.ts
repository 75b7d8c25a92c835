/**
 * Folders for a test's files.
 */

/** Runs a test with an empty folder, which goes when it ends. */
export async function withFolder(test: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "clip_e_embedding_" });
  try {
    await test(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
