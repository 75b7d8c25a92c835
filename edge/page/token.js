// @ts-check
/// <reference lib="dom" />
/**
 * The bearer token (RFC 6750) of servers that want one. It is asked for when a server first says
 * so, and kept for this tab alone.
 *
 * @module
 */

import { part } from "./element.js";
import { say } from "./say.js";

const KEY = "clip-e.token";

const form = part("token", HTMLFormElement);
const field = part("token_field", HTMLInputElement);
const message = part("token_message", HTMLElement);

let token = remembered();
/** @type {PromiseWithResolvers<void> | undefined} */
let asked;

form.addEventListener("submit", (event) => {
  event.preventDefault();
  token = field.value.trim();
  field.value = "";
  try {
    sessionStorage.setItem(KEY, token);
  } catch {
    // Storage can be forbidden; the token then lasts until the page is left.
  }
  const hadFocus = form.contains(document.activeElement);
  form.hidden = true;
  if (hadFocus) part("pick", HTMLInputElement).focus();
  asked?.resolve();
  asked = undefined;
});

/** The header that carries the token, where there is one. */
export function authorization() {
  /** @type {Record<string, string>} */
  const headers = token === "" ? {} : { Authorization: `Bearer ${token}` };
  return headers;
}

/** Whether the server was given a token. */
export function hasToken() {
  return token !== "";
}

/**
 * Waits until a person has given another token than the one that was refused.
 *
 * @param {string | undefined} refused the header that was sent
 */
export function askForToken(refused) {
  // Another request may have asked meanwhile.
  if (authorization().Authorization !== refused) return Promise.resolve();
  asked ??= Promise.withResolvers();
  message.textContent = refused === undefined
    ? "This server asks for a token."
    : "The server does not know this token. Give another.";
  if (form.hidden) {
    form.hidden = false;
    say(message.textContent);
    field.focus();
  }
  return asked.promise;
}

function remembered() {
  try {
    return sessionStorage.getItem(KEY) ?? "";
  } catch {
    return "";
  }
}
