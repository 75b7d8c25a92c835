/**
 * Whether the server on this machine answers, for containers' health checks: ends with 0 if it does, with 1 if not.
 */

const TIMEOUT = 4_000;

const port = Deno.env.get("CLIP_E_PORT") ?? "8000";
const answer = await fetch(`http://127.0.0.1:${port}/healthz`, {
  signal: AbortSignal.timeout(TIMEOUT),
}).catch(() => undefined);
await answer?.body?.cancel();
Deno.exit(answer?.ok ? 0 : 1);
