/**
 * What tests of the page stand on: a server, a browser, and visitors who notice whatever goes wrong behind the page.
 */

import assert from "node:assert/strict";
import type { Browser, BrowserContext, BrowserContextOptions, Page } from "playwright-core";
import { makeSyntheticBundle, writeBundleFiles } from "../../synthetic_bundle.ts";
import { CHROMIUM, isChromiumMissing, launchChromium } from "../chromium.ts";
import { type ServerProcess, startServer } from "../server_process.ts";
import { makeTemporaryFolder } from "../temporary_folder.ts";

/** Whether tests of the page are left out. */
export const ignore: boolean = await isChromiumMissing();
if (ignore) console.warn(`Tests of the page are left out: there is no browser at ${CHROMIUM}`);

/** The synthetic bundle, which most tests of the page are served: it has several taxonomies, and several methods each. */
export const bundle = await makeSyntheticBundle();

/** Chromium's flag for a camera that shows a test picture. */
export const CAMERA = "--use-fake-device-for-media-stream";

/** Options of {@link setStage}. */
export interface StageOptions {
  /** By default one, of the synthetic bundle. */
  readonly servers?: readonly ServerOptions[];
  /** The browser's flags. */
  readonly flags?: readonly string[];
}

/** One server. */
export interface ServerOptions {
  /** Whether it serves the bundle that the project brings. */
  readonly embedded?: boolean;
  /** Tokens, one of which a caller has to know. */
  readonly tokens?: readonly string[];
}

/** A visit. */
export interface VisitOptions {
  /** The origin that is visited. By default the first server's. */
  readonly origin?: string;
  /** The path that is visited. By default the page's. */
  readonly path?: string;
  /** Lines that the browser itself prints, such as of refused requests. */
  readonly expectedErrors?: readonly RegExp[];
  /** What happens before the page is opened. */
  readonly prepare?: (page: Page) => Promise<unknown>;
  /** A browser that has been here before. By default a new one. */
  readonly context?: BrowserContext;
  /** What a new one is like. */
  readonly like?: BrowserContextOptions;
}

/** What the tests of one file share. */
export interface Stage {
  /** The servers, in their order. */
  readonly servers: readonly ServerProcess[];
  /** The first server's origin. */
  readonly url: string;
  /** The browser. */
  readonly browser: Browser;
  /**
   * Opens the page, uses it, and asserts that nothing went wrong behind it: no error or warning in the console, no violation
   * of a policy, no request to anybody else.
   */
  readonly visit: (
    use: (page: Page) => Promise<void>,
    options?: VisitOptions,
  ) => Promise<void>;
}

/** Starts servers and a browser before the tests of a file, and ends them after. */
export function setStage({ servers: wanted = [{}], flags = [] }: StageOptions = {}): Stage {
  const servers: ServerProcess[] = [];
  let browser: Browser | undefined;
  let remove = () => Promise.resolve();

  Deno.test.beforeAll(async () => {
    if (ignore) return;
    const folder = await makeTemporaryFolder("page");
    remove = folder.remove;
    await writeBundleFiles(bundle.files, folder.url);
    const [launched, ...started] = await Promise.all([
      launchChromium(flags),
      ...wanted.map(async ({ embedded, tokens }, i) => {
        const args = ["--workers", "1"];
        if (tokens) {
          await Deno.writeTextFile(new URL(`tokens_${i}`, folder.url), tokens.join("\n"));
          args.push("--tokens-file", `${folder.path}/tokens_${i}`);
        }
        return await startServer(embedded ? undefined : folder.path, ...args);
      }),
    ]);
    browser = launched;
    servers.push(...started);
  });
  Deno.test.afterAll(async () => {
    await Promise.all([browser?.close(), ...servers.map((server) => server.stop())]);
    await remove();
  });

  return {
    servers,
    get url() {
      return servers[0].url;
    },
    get browser() {
      if (!browser) throw new Error("The browser is launched before the first test");
      return browser;
    },
    async visit(use, options = {}) {
      const { origin = this.url, path = "/", expectedErrors = [], prepare } = options;
      const context = options.context ?? await this.browser.newContext(options.like);
      const page = await context.newPage();
      page.setDefaultTimeout(15_000);
      const wrong: string[] = [];
      page.on("console", (message) => {
        const text = message.text();
        if (!["error", "warning"].includes(message.type())) return;
        if (!expectedErrors.some((expected) => expected.test(text))) wrong.push(text);
      });
      page.on("pageerror", (error) => wrong.push(String(error)));
      page.on("request", (request) => {
        const url = new URL(request.url());
        if (url.origin !== origin && !["blob:", "data:"].includes(url.protocol)) {
          wrong.push(`a request to ${request.url()}`);
        }
      });
      await page.addInitScript(`addEventListener(
        "securitypolicyviolation",
        (event) => console.error("policy: " + event.violatedDirective + " " + event.blockedURI),
      )`);
      try {
        await prepare?.(page);
        await page.goto(origin + path);
        // The page is there once it knows the model, or the way to it.
        if (path === "/") await page.locator("#model:visible, #token:visible").first().waitFor();
        await use(page);
        assert.deepEqual(wrong, []);
      } finally {
        await (options.context ? page : context).close();
      }
    },
  };
}
