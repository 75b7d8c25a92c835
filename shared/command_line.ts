/**
 * Command lines, described by a table: the same table parses, checks and writes the help. Kept out of `mod.ts`, so that
 * what is served at the edge does not carry it.
 *
 * @module
 */

import { parseArgs } from "@std/cli/parse-args";

/** One option of a command. */
export interface Flag {
  /** What its value is; a `boolean` takes none, and `strings` may be given several times. */
  readonly kind: "string" | "strings" | "integer" | "number" | "boolean";
  /** What help calls the value, such as `DIR`. */
  readonly value?: string;
  /** Its value when it is not given. */
  readonly default?: string | number;
  /** The smallest value of a number. */
  readonly min?: number;
  /** The largest value of a number. */
  readonly max?: number;
  /**
   * An environment variable that stands in when the option is not given: `true` or `false` for a `boolean`, values with
   * commas between them for `strings`.
   */
  readonly env?: string;
  /** A line for the help. */
  readonly help: string;
}

/** Options by name in camel case, which command lines write with dashes. */
export type Flags = Readonly<Record<string, Flag>>;

/** The type of an option's value. */
export type FlagValue<F extends Flag> = F["kind"] extends "boolean" ? boolean
  : F["kind"] extends "string" ? string
  : F["kind"] extends "strings" ? readonly string[]
  : number;

/** The options' values; those without a default may be `undefined`, but for `strings`: none is an empty list. */
export type FlagValues<F extends Flags> = {
  readonly [K in keyof F]: F[K] extends
    | { readonly default: string | number }
    | { readonly kind: "boolean" | "strings" } ? FlagValue<F[K]>
    : FlagValue<F[K]> | undefined;
};

/** A command. */
export interface Command<F extends Flags> {
  /** How it is called: `deno task start`. */
  readonly name: string;
  /** What follows the options: `PICTURE...`. */
  readonly positionals?: string;
  /** What it does, in a sentence or two. */
  readonly description: string;
  /** Its options, in the order of the help. */
  readonly flags: F;
}

/** A command line that cannot be understood. */
export class UsageError extends Error {
  /** The class's name, as error reports print it. */
  override readonly name = "UsageError";
}

/**
 * Reads a command line.
 *
 * @param command what it may hold
 * @param args what it holds
 * @param env reads an environment variable
 * @returns the options' values and what is not an option, or `help` when `--help` is asked for
 * @throws {UsageError} that says what is wrong with which option
 */
export function readCommandLine<F extends Flags>(
  command: Command<F>,
  args: readonly string[],
  env: (name: string) => string | undefined = () => undefined,
): { readonly values: FlagValues<F>; readonly positionals: string[] } | { readonly help: string } {
  const entries = Object.entries(command.flags);
  const ofKind = (isBoolean: boolean) =>
    entries.filter(([, { kind }]) => (kind === "boolean") === isBoolean).map(([n]) => dashed(n));
  const parsed: Record<string, unknown> & { _: (string | number)[] } = parseArgs([...args], {
    boolean: ["help", ...ofKind(true)],
    string: ["_", ...ofKind(false)],
    collect: ofKind(false),
    alias: { help: "h" },
    unknown: (arg, key) => {
      if (key === undefined) return true;
      throw new UsageError(`There is no option ${arg}`);
    },
  });
  const end = args.indexOf("--");
  for (const name of ofKind(true)) {
    if (args.slice(0, end < 0 ? undefined : end).some((arg) => arg.startsWith(`--${name}=`))) {
      throw new UsageError(`The option --${name} takes no value`);
    }
  }
  if (parsed.help) return { help: formatHelp(command) };
  const values = entries.map(([name, flag]) => {
    const option = `--${dashed(name)}`;
    const given: unknown = parsed[dashed(name)];
    const texts = Array.isArray(given) ? given.map(String) : [];
    const isGiven = given === true || texts.length > 0;
    const fromEnv = isGiven || flag.env === undefined ? undefined : env(flag.env);
    const source = fromEnv === undefined ? option : `${flag.env} in the environment`;
    if (flag.kind === "boolean") return [name, isGiven || readSwitch(source, fromEnv)];
    if (flag.kind === "strings") {
      const listed = fromEnv?.split(",").map((text) => text.trim());
      return [name, readStrings(source, listed ?? texts)];
    }
    if (texts.length > 1) throw new UsageError(`The option ${option} is given more than once`);
    return [name, readValue(source, flag, texts[0] ?? fromEnv)];
  });
  const positionals = parsed._.map(String);
  if (positionals.length > 0 && command.positionals === undefined) {
    throw new UsageError(`There is no place for ${JSON.stringify(positionals[0])}`);
  }
  return { values: Object.fromEntries(values) as FlagValues<F>, positionals };
}

function readSwitch(source: string, text: string | undefined): boolean {
  if (text === undefined || text === "false") return false;
  if (text === "true") return true;
  throw new UsageError(`${source} must be true or false, got ${JSON.stringify(text)}`);
}

function readStrings(source: string, texts: readonly string[]): readonly string[] {
  if (texts.includes("")) throw new UsageError(`${source} needs a value`);
  return texts;
}

function readValue(
  source: string,
  flag: Flag,
  text: string | undefined,
): string | number | undefined {
  if (text === undefined) return flag.default;
  if (text === "") throw new UsageError(`${source} needs a value`);
  return flag.kind === "string" ? text : readNumber(source, flag, text);
}

function readNumber(source: string, flag: Flag, text: string): number {
  const value = Number(text);
  const isWhole = flag.kind === "integer";
  const isFit = isWhole ? Number.isSafeInteger(value) : Number.isFinite(value);
  const { min = -Infinity, max = Infinity } = flag;
  if (text.trim() !== "" && isFit && value >= min && value <= max) return value;
  const from = min === -Infinity ? "" : ` from ${min}`;
  const to = max === Infinity ? "" : ` to ${max}`;
  throw new UsageError(
    `${source} must be a ${isWhole ? "whole " : ""}number${from}${to}, got ${JSON.stringify(text)}`,
  );
}

/** Writes the help. */
function formatHelp({ name, positionals, description, flags }: Command<Flags>): string {
  const rows = Object.entries(flags).map(([key, flag]) => {
    const value = flag.kind === "boolean" ? "" : ` ${flag.value ?? "N"}`;
    const notes = [
      ...(flag.kind === "strings" ? ["repeatable"] : []),
      ...(flag.default === undefined ? [] : [`default ${flag.default}`]),
      ...(flag.env === undefined ? [] : [`or ${flag.env}`]),
    ];
    return [
      `--${dashed(key)}${value}`,
      flag.help + (notes.length ? ` (${notes.join("; ")})` : ""),
    ];
  });
  rows.push(["--help", "Show this help"]);
  const width = Math.max(...rows.map(([option]) => option.length));
  return [
    `Usage: ${name} [options]${positionals === undefined ? "" : ` ${positionals}`}`,
    "",
    description,
    "",
    "Options:",
    ...rows.map(([option, help]) => `  ${option.padEnd(width)}  ${help}`),
  ].join("\n");
}

function dashed(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}
