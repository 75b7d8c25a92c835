/**
 * The page's faces: what it looks like empty, busy, with answers, with problems, while it asks for something.
 */

import type { Page } from "playwright-core";
import { chooseBrowser, note, pick, pickable } from "./page_use.ts";

/** How a page comes to look so; whoever leaves it need not clean up. */
export interface PageState {
  /** What it looks like. */
  readonly name: string;
  /** Lets an open page come to it. */
  readonly reach: (page: Page) => Promise<unknown>;
  /** What happens before it is opened. */
  readonly prepare?: (page: Page) => Promise<unknown>;
}

/** An answer that is never given. */
async function holdBack(page: Page, path: string): Promise<void> {
  await page.route(path, () => {});
}

async function refuse(page: Page, path: string, status: number): Promise<void> {
  await page.route(path, (route) =>
    route.fulfill({
      status,
      contentType: "application/problem+json",
      headers: status === 429 ? { "Retry-After": "600" } : {},
      body: JSON.stringify({ title: "Refused", detail: "This is not done now.", status }),
    }));
}

/** Opens all that is folded. */
async function unfold(page: Page): Promise<void> {
  for (const more of await page.locator("summary:visible").all()) await more.click();
}

/** The page's faces, each for a new page. */
export const PAGE_STATES: readonly PageState[] = [
  { name: "nothing yet", reach: unfold },
  {
    name: "answers, and what is one click away",
    async reach(page) {
      const [one, other, third] = await pick(page, "storm.jpg", "small.jpg", "rgba.png");
      await one.getByRole("button", { name: "Provenance" }).click();
      await other.getByRole("button", { name: "JSON" }).click();
      await third.getByRole("button", { name: "The call" }).click();
      await unfold(page);
    },
  },
  {
    name: "methods compared",
    async reach(page) {
      await page.getByRole("checkbox", { name: "Compare methods" }).check();
      await pick(page, "storm.jpg");
      await unfold(page);
    },
  },
  { name: "problems", reach: (page) => pick(page, "bad/truncated.jpg", "bad/notes.txt") },
  {
    name: "a picture that waits, and one that is put off",
    async reach(page) {
      await holdBack(page, "**/v1/classify");
      await page.locator("#pick").setInputFiles(await pickable("small.jpg"));
      await page.getByText("Looking at it").waitFor();
      await refuse(page, "**/v1/classify", 429);
      await page.locator("#pick").setInputFiles(await pickable("grey.jpg"));
      await page.getByRole("button", { name: "Try now" }).waitFor();
    },
  },
  {
    name: "this browser computes",
    async reach(page) {
      await chooseBrowser(page);
      await pick(page, "small.jpg");
    },
  },
  {
    name: "a download under way",
    async reach(page) {
      await holdBack(page, "**/v1/bundle/encoder.onnx");
      await page.getByRole("radio", { name: "This browser" }).check();
      await page.getByRole("progressbar", { name: /^Fetching the model: / }).waitFor();
    },
  },
  {
    name: "a download that failed",
    async reach(page) {
      await refuse(page, "**/v1/bundle/encoder.onnx", 403);
      await page.getByRole("radio", { name: "This browser" }).check();
      await note(page, /encoder\.onnx/).waitFor();
    },
  },
  {
    name: "the camera",
    async reach(page) {
      await page.getByRole("button", { name: "Use the camera" }).click();
      await page.locator("#camera_take:enabled").waitFor();
    },
  },
  {
    name: "a token is wanted",
    prepare: (page) => refuse(page, "**/v1/model", 401),
    reach: (page) => page.getByLabel("Token", { exact: true }).waitFor(),
  },
];

/** Lines that the browser prints of what these states refuse. */
export const EXPECTED_ERRORS: readonly RegExp[] = [
  /^Failed to load resource: .* 4(01|03|22|29) /,
];
