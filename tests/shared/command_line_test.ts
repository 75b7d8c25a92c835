import { type Command, type Flags, readCommandLine, UsageError } from "@clip-e/shared/command-line";
import assert from "node:assert/strict";

const COMMAND = {
  name: "deno task develop",
  description: "Develops a film.",
  positionals: "FILM...",
  flags: {
    port: { kind: "integer", default: 8000, min: 0, env: "PORT", help: "Port to listen on" },
    maxPixels: { kind: "number", min: 0.5, value: "COUNT", help: "Largest picture" },
    host: { kind: "string", default: "localhost", value: "HOST", env: "HOST", help: "Host name" },
    out: { kind: "string", value: "DIR", help: "Where to write" },
    gain: { kind: "number", help: "How bright" },
    dryRun: { kind: "boolean", help: "Write nothing" },
  },
} as const satisfies Command<Flags>;

/** The values that the command line `args` gives. */
function values(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const read = readCommandLine(COMMAND, args, (name) => env[name]);
  assert.ok("values" in read);
  return read.values;
}

const DEFAULTS = {
  port: 8000,
  maxPixels: undefined,
  host: "localhost",
  out: undefined,
  gain: undefined,
  dryRun: false,
};

/** Asserts that a command line is refused with a sentence. */
function assertRefused(
  args: readonly string[],
  message: string,
  env: Readonly<Record<string, string>> = {},
): void {
  assert.throws(() => values(args, env), { name: "UsageError", message });
}

Deno.test("readCommandLine() gives defaults, and undefined and false where there are none", () => {
  assert.deepEqual(values([]), DEFAULTS);
});

Deno.test("readCommandLine() reads options in camel case that are given with dashes", () => {
  const given = values([
    "--max-pixels",
    "1e6",
    "--dry-run",
    "--port=0",
    "--host=::",
    "--out",
    "a b",
  ]);
  assert.deepEqual(given, {
    ...DEFAULTS,
    maxPixels: 1e6,
    dryRun: true,
    port: 0,
    host: "::",
    out: "a b",
  });
});

Deno.test("readCommandLine() types each value by its option", () => {
  const read = values(["--out", "1"]);
  const typed: {
    readonly port: number;
    readonly maxPixels: number | undefined;
    readonly host: string;
    readonly out: string | undefined;
    readonly dryRun: boolean;
  } = read;
  assert.equal(typed.out, "1");
  // @ts-expect-error an option without a default may be undefined
  const out: string = read.out;
  assert.equal(out, "1");
});

Deno.test("readCommandLine() keeps what looks like a number a string where a string is asked for", () => {
  assert.equal(values(["--host", "007"]).host, "007");
});

Deno.test("readCommandLine() reads negative and fractional numbers", () => {
  assert.equal(values(["--gain=-0.25"]).gain, -0.25);
});

Deno.test("readCommandLine() takes an environment variable where the option is not given", () => {
  assert.equal(values([], { PORT: "9000" }).port, 9000);
  assert.equal(values(["--port", "7"], { PORT: "9000" }).port, 7);
  assert.equal(values([], { HOST: "0.0.0.0" }).host, "0.0.0.0");
  assert.equal(values([], { OUT: "dir" }).out, undefined);
});

Deno.test("readCommandLine() takes lists and switches from the environment too", () => {
  const command = {
    name: "deno task develop",
    description: "Develops a film.",
    flags: {
      keep: { kind: "strings", env: "KEEP", help: "Leave these" },
      dryRun: { kind: "boolean", env: "DRY_RUN", help: "Write nothing" },
    },
  } as const satisfies Command<Flags>;
  const read = (args: readonly string[], env: Readonly<Record<string, string>>) => {
    const line = readCommandLine(command, args, (name) => env[name]);
    assert.ok("values" in line);
    return line.values;
  };
  assert.deepEqual(read([], {}), { keep: [], dryRun: false });
  assert.deepEqual(read([], { KEEP: "a", DRY_RUN: "false" }), { keep: ["a"], dryRun: false });
  assert.deepEqual(read([], { KEEP: "a, b c,d", DRY_RUN: "true" }), {
    keep: ["a", "b c", "d"],
    dryRun: true,
  });
  assert.deepEqual(read(["--keep=x,y", "--dry-run"], { KEEP: "a", DRY_RUN: "false" }), {
    keep: ["x,y"],
    dryRun: true,
  });
  for (const KEEP of ["", "a,", ",a"]) {
    assert.throws(() => read([], { KEEP }), {
      name: "UsageError",
      message: "KEEP in the environment needs a value",
    });
  }
  assert.throws(() => read([], { DRY_RUN: "yes" }), {
    name: "UsageError",
    message: 'DRY_RUN in the environment must be true or false, got "yes"',
  });
  const help = readCommandLine(command, ["--help"]);
  assert.ok("help" in help);
  assert.match(help.help, /--dry-run {2}Write nothing \(or DRY_RUN\)/);
});

Deno.test("readCommandLine() gives what is not an option, as strings, also after --", () => {
  const args = ["a.jpg", "--dry-run", "7", "-", "--", "--port", "x"];
  const read = readCommandLine(COMMAND, args);
  assert.ok("positionals" in read);
  assert.deepEqual(read.positionals, ["a.jpg", "7", "-", "--port", "x"]);
  assert.deepEqual(read.values, { ...DEFAULTS, dryRun: true });
});

Deno.test("readCommandLine() refuses what is not an option where there is no place for it", () => {
  const { name, description, flags } = COMMAND;
  const read = readCommandLine({ name, description, flags }, ["--dry-run"]);
  assert.deepEqual(read, { values: { ...DEFAULTS, dryRun: true }, positionals: [] });
  assert.throws(() => readCommandLine({ name, description, flags }, ["a.jpg"]), {
    name: "UsageError",
    message: 'There is no place for "a.jpg"',
  });
});

Deno.test("readCommandLine() refuses an option that there is not", () => {
  assertRefused(["--prot", "1"], "There is no option --prot");
  assertRefused(["--maxPixels", "1"], "There is no option --maxPixels");
  assertRefused(["--no-dry-run"], "There is no option --no-dry-run");
  assertRefused(["-p", "1"], "There is no option -p");
  assertRefused(["--toString"], "There is no option --toString");
});

Deno.test("readCommandLine() refuses an option that is given twice", () => {
  assertRefused(["--port", "1", "--port=2"], "The option --port is given more than once");
  assertRefused(["--out=a", "--out=a"], "The option --out is given more than once");
});

Deno.test("readCommandLine() collects what a repeatable option is given, in order", () => {
  const command = {
    name: "deno task develop",
    description: "Develops a film.",
    flags: {
      keep: { kind: "strings", value: "WORD", help: "Leave these" },
      out: { kind: "string", help: "Where to write" },
    },
  } as const satisfies Command<Flags>;
  const keep = (...args: string[]): readonly string[] => {
    const read = readCommandLine(command, args);
    assert.ok("values" in read);
    return read.values.keep;
  };
  assert.deepEqual(keep(), []);
  assert.deepEqual(keep("--keep", "a photo of {label}", "--out=x", "--keep=b", "--keep", "b"), [
    "a photo of {label}",
    "b",
    "b",
  ]);
  assert.deepEqual(keep("--keep=1e3"), ["1e3"]);
  for (const args of [["--keep"], ["--keep=a", "--keep="], ["--keep", "--out=x"]]) {
    assert.throws(() => keep(...args), { name: "UsageError", message: "--keep needs a value" });
  }
  const read = readCommandLine(command, ["--help"]);
  assert.ok("help" in read);
  assert.match(read.help, /--keep WORD {2}Leave these \(repeatable\)/);
});

Deno.test("readCommandLine() refuses an option without its value, and names the variable that is empty", () => {
  assertRefused(["--port"], "--port needs a value");
  assertRefused(["--out="], "--out needs a value");
  assertRefused(["--host", "--dry-run"], "--host needs a value");
  assertRefused([], "PORT in the environment needs a value", { PORT: "" });
});

Deno.test("readCommandLine() refuses a value for an option that takes none", () => {
  for (const value of ["yes", "no", "true", "false", "1", ""]) {
    assertRefused([`--dry-run=${value}`], "The option --dry-run takes no value");
  }
  const read = readCommandLine(COMMAND, ["--", "--dry-run=yes"]);
  assert.ok("positionals" in read);
  assert.deepEqual(read.positionals, ["--dry-run=yes"]);
});

Deno.test("readCommandLine() refuses what is not a number, or not such a number", () => {
  for (const text of ["x", "1.5", "1e99", "-1", " ", "8000x", "NaN", "Infinity"]) {
    assertRefused(
      [`--port=${text}`],
      `--port must be a whole number from 0, got ${JSON.stringify(text)}`,
    );
  }
  assertRefused(["--max-pixels=0.4"], '--max-pixels must be a number from 0.5, got "0.4"');
  assertRefused(["--gain=bright"], '--gain must be a number, got "bright"');
  assertRefused(["--gain=-Infinity"], '--gain must be a number, got "-Infinity"');
  assertRefused(["--port=x"], '--port must be a whole number from 0, got "x"', { PORT: "1" });
  assertRefused([], 'PORT in the environment must be a whole number from 0, got "http"', {
    PORT: "http",
  });
});

Deno.test("readCommandLine() writes the help from the same table", () => {
  const help = [
    "Usage: deno task develop [options] FILM...",
    "",
    "Develops a film.",
    "",
    "Options:",
    "  --port N            Port to listen on (default 8000; or PORT)",
    "  --max-pixels COUNT  Largest picture",
    "  --host HOST         Host name (default localhost; or HOST)",
    "  --out DIR           Where to write",
    "  --gain N            How bright",
    "  --dry-run           Write nothing",
    "  --help              Show this help",
  ].join("\n");
  assert.deepEqual(readCommandLine(COMMAND, ["--help"]), { help });
  assert.deepEqual(readCommandLine(COMMAND, ["a.jpg", "-h", "--port", "x"]), { help });
});

Deno.test("readCommandLine() leaves positionals out of the help where there are none", () => {
  const { name, description } = COMMAND;
  const read = readCommandLine({ name, description, flags: {} }, ["--help"]);
  assert.ok("help" in read);
  assert.equal(read.help.split("\n")[0], "Usage: deno task develop [options]");
});

Deno.test("UsageError is told apart by its name", () => {
  assert.equal(new UsageError("x").name, "UsageError");
  assert.ok(new UsageError("x") instanceof Error);
});
