/**
 * What a person does on the page, and reads from it.
 */

import { Buffer } from "node:buffer";
import type { Locator, Page } from "playwright-core";
import { readPicture } from "../../golden_file.ts";
import type { ClassifyAnswer } from "../classify_over_http.ts";

/** A file as a person picks it. */
export interface PickedFile {
  /** With its ending. */
  readonly name: string;
  /** As the browser guesses it from the name. */
  readonly mimeType: string;
  /** What is in it. */
  readonly buffer: Buffer;
}

/** A drawn picture as a person picks it, with the type that a browser makes of its name. */
export async function pickable(name: string): Promise<PickedFile> {
  const ending = name.replace(/^.*\./, "");
  const mimeType = ending === "txt"
    ? "text/plain"
    : `image/${({ jpg: "jpeg", svg: "svg+xml" })[ending] ?? ending}`;
  return { name, mimeType, buffer: Buffer.from(await readPicture(name)) };
}

/** The card of a picture, once it has its answer or its problem. */
export function doneCard(page: Page, name: string): Locator {
  return page.locator(`article[aria-label="${name}"][aria-busy="false"]`);
}

/** Picks pictures, and waits until each has its answer, or its problem. */
export async function pick(
  page: Page,
  ...files: readonly (string | PickedFile)[]
): Promise<Locator[]> {
  const picked = await Promise.all(
    files.map((file) => typeof file === "string" ? pickable(file) : file),
  );
  await page.locator("#pick").setInputFiles(picked);
  const cards = picked.map(({ name }) => doneCard(page, name));
  await Promise.all(cards.map((card) => card.waitFor()));
  return cards;
}

/** Lets a picture come as one that is dropped, or pasted. */
export async function bring(
  page: Page,
  how: "drop" | "paste",
  { name, mimeType, buffer }: PickedFile,
): Promise<Locator> {
  await page.evaluate(`{
    const data = new DataTransfer();
    const bytes = Uint8Array.from(atob("${buffer.toString("base64")}"), (c) => c.charCodeAt(0));
    data.items.add(new File([bytes], "${name}", { type: "${mimeType}" }));
    const [Kind, key] = {
      drop: [DragEvent, "dataTransfer"],
      paste: [ClipboardEvent, "clipboardData"],
    }["${how}"];
    const event = new Kind("${how}", { [key]: data, bubbles: true, cancelable: true });
    document.body.dispatchEvent(event);
  }`);
  const card = doneCard(page, name);
  await card.waitFor();
  return card;
}

/** What a card's JSON says. */
export async function readJson(card: Locator): Promise<ClassifyAnswer> {
  const button = card.getByRole("button", { name: "JSON", exact: true });
  if (await button.getAttribute("aria-expanded") === "false") await button.click();
  return JSON.parse(await card.locator(".panel pre").innerText());
}

/** Lets this browser compute, and waits until it can. */
export async function chooseBrowser(page: Page): Promise<void> {
  await page.getByRole("radio", { name: "This browser" }).check();
  await note(page, /^Nothing leaves this device/).waitFor();
}

/** What stands beside the switch, once it says this. */
export function note(page: Page, hasText: string | RegExp): Locator {
  return page.locator("#engine_note", { hasText });
}

/** Reads something until it is as wanted, for ten seconds at most; gives what was read last. */
export async function until<T>(
  read: () => T | Promise<T>,
  isSo: (value: T) => boolean,
): Promise<T> {
  const end = performance.now() + 10_000;
  for (;;) {
    const value = await read();
    if (isSo(value) || performance.now() > end) return value;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
