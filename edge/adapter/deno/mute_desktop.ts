/**
 * WebGPU's drivers on Linux look for a desktop first, and complain on the terminal, three lines for each thread, where there
 * is none.
 */

const VARIABLE = "XDG_RUNTIME_DIR";

/** Says that the desktop is in /tmp, unless one is there or the environment is not ours to change. */
export function muteDesktop(): void {
  if (Deno.build.os !== "linux") return;
  const { state } = Deno.permissions.querySync({ name: "env", variable: VARIABLE });
  // Set once: the environment is the process's, and other workers may be reading it.
  if (state === "granted" && !Deno.env.has(VARIABLE)) Deno.env.set(VARIABLE, "/tmp");
}
