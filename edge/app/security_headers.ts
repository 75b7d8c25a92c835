/**
 * What browsers may do with answers: nothing that the app does not need.
 */

import type { MiddlewareHandler } from "hono";
import { secureHeaders } from "hono/secure-headers";
import type { AppEnv } from "./request_record.ts";

/** The app's own origin alone; no script or style stands in a page itself. */
const POLICY = {
  defaultSrc: ["'none'"],
  scriptSrc: ["'self'"],
  styleSrc: ["'self'"],
  imgSrc: ["'self'", "blob:", "data:"],
  connectSrc: ["'self'"],
  baseUri: ["'none'"],
  formAction: ["'none'"],
  frameAncestors: ["'none'"],
};

/** The page, and the scripts of its worker, which has the policy of its own answer, may run WebAssembly too. */
const PAGE_POLICY = {
  ...POLICY,
  scriptSrc: ["'self'", "'wasm-unsafe-eval'"],
  workerSrc: ["'self'"],
  mediaSrc: ["'self'", "blob:"],
};

/** Sets the headers: those of the page at `/` and below `/page/` and `/browser/`, the strictest elsewhere. */
export function setSecurityHeaders(): MiddlewareHandler<AppEnv> {
  const strict = secureHeaders({ contentSecurityPolicy: POLICY });
  const ofPage = secureHeaders({
    contentSecurityPolicy: PAGE_POLICY,
    permissionsPolicy: { camera: ["self"], microphone: [], geolocation: [] },
  });
  return (c, next) => (/^\/($|page\/|browser\/)/.test(c.req.path) ? ofPage : strict)(c, next);
}
