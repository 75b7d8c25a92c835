/**
 * The configuration that is deployed: what people wrote, and the digest of the bundle that was laid out.
 */

import { ClipEError } from "@clip-e/shared";
import { dirname, resolve } from "node:path";

/** What the configuration is made for. */
export interface WorkerConfigOptions {
  /** The file that people write, JSON with comments. */
  readonly template: string;
  /** The folder of static assets. */
  readonly assets: string;
  /** Of the laid-out bundle's manifest: pinned, unless the bundle is to come from a bucket. */
  readonly digest: string;
}

/** The parts of a configuration that are looked at. */
interface WranglerConfig {
  readonly main: string;
  readonly vars?: Readonly<Record<string, unknown>>;
  readonly assets: Readonly<Record<string, unknown>>;
  readonly alias?: Readonly<Record<string, string>>;
  readonly r2_buckets?: readonly { readonly binding: string }[];
}

/**
 * Makes a configuration that may lie anywhere: its paths are absolute.
 *
 * @param options what for
 * @returns JSON
 * @throws {ClipEError} `internal`, when the template is not JSON with comments
 */
export async function makeWorkerConfig(options: WorkerConfigOptions): Promise<string> {
  const { template, assets, digest } = options;
  const config = readJsonc(await Deno.readTextFile(template), template) as WranglerConfig;
  const isInBucket = config.r2_buckets?.some(({ binding }) => binding === "BUNDLE_BUCKET");
  const place = (path: string) => resolve(dirname(template), path);
  return JSON.stringify(
    {
      ...config,
      main: place(config.main),
      vars: { ...(!isInBucket && { BUNDLE_DIGEST: digest }), ...config.vars },
      assets: { ...config.assets, directory: assets },
      alias: Object.fromEntries(
        Object.entries(config.alias ?? {}).map(([name, path]) => [name, place(path)]),
      ),
    },
    undefined,
    2,
  ) + "\n";
}

/** Texts, which stay; comments; commas before a closing bracket. */
const TEXT = String.raw`"(?:\\.|[^"\\])*"`;
const COMMENT = new RegExp(String.raw`(${TEXT})|//.*|/\*[^]*?\*/`, "g");
const COMMA = new RegExp(String.raw`(${TEXT})|,(?=\s*[}\]])`, "g");

/**
 * Reads JSON with comments and trailing commas.
 *
 * @param text of a file
 * @param name of the file
 */
export function readJsonc(text: string, name: string): unknown {
  try {
    return JSON.parse(text.replace(COMMENT, "$1").replace(COMMA, "$1"));
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new ClipEError("internal", `Cannot read ${name} as JSON with comments: ${why}`, {
      cause,
    });
  }
}
