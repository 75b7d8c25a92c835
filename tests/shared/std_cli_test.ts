/**
 * What this project relies on in `@std/cli`. It imports the package by name, so it holds for the
 * stand-in in `fixtures/std_cli` and, without the `links` entry of `deno.json`, for the package
 * itself.
 */

import assert from "node:assert/strict";
import { parseArgs } from "@std/cli/parse-args";
import { ProgressBar } from "@std/cli/unstable-progress-bar";

/** The result as an ordinary object, to compare with a literal. */
function parsed(
  ...call: Parameters<typeof parseArgs>
): Record<string, unknown> {
  return { ...parseArgs(...call) };
}

Deno.test("parseArgs() reads a string from --name=value and from --name value", () => {
  const string = ["data"];
  assert.deepEqual(parsed(["--data=a.csv"], { string }), {
    data: "a.csv",
    _: [],
  });
  assert.deepEqual(parsed(["--data", "a.csv"], { string }), {
    data: "a.csv",
    _: [],
  });
  assert.deepEqual(parsed(["--data=csv:a=b"], { string }), {
    data: "csv:a=b",
    _: [],
  });
});

Deno.test("parseArgs() leaves an absent string undefined, and one without a value empty", () => {
  assert.equal(parseArgs([], { string: ["data"] }).data, undefined);
  assert.deepEqual(
    parsed(["--data", "--out", "o"], { string: ["data", "out"] }),
    {
      data: "",
      out: "o",
      _: [],
    },
  );
});

Deno.test("parseArgs() keeps the last of several values", () => {
  assert.equal(
    parseArgs(["--data", "a", "--data", "b"], { string: ["data"] }).data,
    "b",
  );
});

Deno.test("parseArgs() makes listed booleans false by default and true when given", () => {
  assert.deepEqual(
    parsed(["--quick", "photo.jpg"], { boolean: ["quick", "help"] }),
    {
      quick: true,
      help: false,
      _: ["photo.jpg"],
    },
  );
});

Deno.test("parseArgs() reads true and false behind a boolean, and no other word", () => {
  const boolean = ["quick"];
  assert.deepEqual(parsed(["--quick", "false", "x"], { boolean }), {
    quick: false,
    _: ["x"],
  });
  assert.deepEqual(parsed(["--quick=false"], { boolean }), {
    quick: false,
    _: [],
  });
  assert.deepEqual(parsed(["--quick=true"], { boolean }), {
    quick: true,
    _: [],
  });
  assert.deepEqual(parsed(["--quick", "falsehood"], { boolean }), {
    quick: true,
    _: ["falsehood"],
  });
});

Deno.test("parseArgs() takes every bare long option for a boolean when boolean is true", () => {
  assert.deepEqual(
    parsed(["--honk", "cow", "-p", "55", "--food=good"], { boolean: true }),
    {
      honk: true,
      p: 55,
      food: "good",
      _: ["cow"],
    },
  );
});

Deno.test("parseArgs() makes numbers of values, but not of strings", () => {
  assert.deepEqual(
    parsed([
      "--a",
      "12",
      "--b=-0.5",
      "--c",
      "1e3",
      "--d",
      "0xff",
      "--e",
      "10f",
    ]),
    {
      a: 12,
      b: -0.5,
      c: 1000,
      d: 255,
      e: "10f",
      _: [],
    },
  );
  assert.equal(parseArgs(["--id", "007"], { string: ["id"] }).id, "007");
});

Deno.test("parseArgs() makes numbers of positionals unless _ is a string", () => {
  assert.deepEqual(parsed(["7", "x"]), { _: [7, "x"] });
  assert.deepEqual(parsed(["7", "x"], { string: ["_"] }), { _: ["7", "x"] });
});

Deno.test("parseArgs() gives the value under the name and under each alias", () => {
  const alias = { group: ["g", "group-by"] };
  const expected = { group: "theme", g: "theme", "group-by": "theme", _: [] };
  for (const arg of ["--group", "--group-by", "-g"]) {
    assert.deepEqual(
      parsed([arg, "theme"], { string: ["group"], alias }),
      expected,
      arg,
    );
  }
});

Deno.test("parseArgs() declares an option through its alias, in either direction", () => {
  assert.deepEqual(
    parsed(["-h", "x"], { boolean: ["help"], alias: { h: "help" } }),
    {
      h: true,
      help: true,
      _: ["x"],
    },
  );
  assert.deepEqual(parsed([], { boolean: ["help"], alias: { help: "h" } }), {
    h: false,
    help: false,
    _: [],
  });
});

Deno.test("parseArgs() splits combined short flags and gives the last one the value", () => {
  assert.deepEqual(parsed(["-xyz"], { boolean: ["x", "y", "z"] }), {
    x: true,
    y: true,
    z: true,
    _: [],
  });
  assert.deepEqual(parsed(["-vp", "555", "s.js"], { boolean: ["v"] }), {
    v: true,
    p: 555,
    _: ["s.js"],
  });
});

Deno.test("parseArgs() reads a value attached to a short option", () => {
  assert.deepEqual(parsed(["-n5"]), { n: 5, _: [] });
  assert.deepEqual(parsed(["-n=5"]), { n: 5, _: [] });
  assert.deepEqual(parsed(["-I/usr/lib"]), { I: "/usr/lib", _: [] });
  assert.deepEqual(parsed(["-f-"]), { f: "-", _: [] });
});

Deno.test("parseArgs() takes a lone hyphen for the value of a short option only", () => {
  assert.deepEqual(parsed(["-f", "-"]), { f: "-", _: [] });
  assert.deepEqual(parsed(["-"]), { _: ["-"] });
  assert.deepEqual(parsed(["--out", "-"], { string: ["out"] }), { out: "", _: ["-"] });
  assert.deepEqual(parsed(["-b", "-"], { boolean: ["b"] }), {
    b: true,
    _: ["-"],
  });
});

Deno.test("parseArgs() collects repeated options, and gives an empty array for none", () => {
  const options = {
    string: ["label"],
    collect: ["label"],
    alias: { label: "l" },
  };
  assert.deepEqual(parsed(["--label", "joy", "-l", "fear"], options), {
    label: ["joy", "fear"],
    l: ["joy", "fear"],
    _: [],
  });
  assert.deepEqual(parsed([], options), { label: [], l: [], _: [] });
});

Deno.test("parseArgs() negates a negatable option with --no-name, the last one winning", () => {
  const options = {
    boolean: ["cache"],
    negatable: ["cache"],
    default: { cache: true },
    alias: { cache: "c" },
  };
  assert.equal(parseArgs([], options).cache, true);
  assert.deepEqual(parsed(["--no-cache"], options), {
    cache: false,
    c: false,
    _: [],
  });
  assert.equal(parseArgs(["--no-cache", "--cache"], options).cache, true);
  assert.equal(parseArgs(["--cache", "--no-cache"], options).cache, false);
});

Deno.test("parseArgs() reads --no-name as a name of its own when name is not negatable", () => {
  assert.deepEqual(parsed(["--no-cache"], { boolean: ["cache"] }), {
    "no-cache": true,
    cache: false,
    _: [],
  });
});

Deno.test("parseArgs() replaces a collected value with false when it is negated", () => {
  const options = {
    string: ["label"],
    collect: ["label"],
    negatable: ["label"],
  };
  assert.equal(
    parseArgs(["--label", "joy", "--no-label"], options).label,
    false,
  );
});

Deno.test("parseArgs() gives defaults to options that are absent, and to their aliases", () => {
  const options = {
    string: ["host"],
    default: { host: "localhost", port: 8080 },
    alias: { port: "p" },
  };
  assert.deepEqual(parsed([], options), {
    host: "localhost",
    port: 8080,
    p: 8080,
    _: [],
  });
  assert.deepEqual(parsed(["-p", "1", "--host", "::"], options), {
    host: "::",
    port: 1,
    p: 1,
    _: [],
  });
});

Deno.test("parseArgs() puts what follows -- behind the positionals, unparsed", () => {
  assert.deepEqual(parsed(["a", "--flag", "--", "--not", "7"]), {
    flag: true,
    _: ["a", "--not", "7"],
  });
});

Deno.test("parseArgs() keeps what follows -- apart when asked to", () => {
  assert.deepEqual(parsed(["a", "--", "--not", "7"], { "--": true }), {
    _: ["a"],
    "--": ["--not", "7"],
  });
  assert.deepEqual(parsed(["a"], { "--": true }), { _: ["a"], "--": [] });
});

Deno.test("parseArgs() stops at the first positional with stopEarly", () => {
  assert.deepEqual(parsed(["--a", "b", "c", "--d", "5"], { stopEarly: true }), {
    a: "b",
    _: ["c", "--d", "5"],
  });
});

Deno.test("parseArgs() reports what is not declared, and drops it on false", () => {
  const seen: unknown[] = [];
  const args = ["-h", "-l3", "--data=a", "--dtaa=b", "-x", "1", "--out", "p", "--", "q"];
  const result = parsed(args, {
    string: ["data"],
    boolean: ["help"],
    // An alias declares its option; a default alone does not.
    alias: { help: "h", level: "l" },
    default: { out: "o" },
    unknown(arg, key, value) {
      seen.push([arg, key, value]);
      return false;
    },
  });
  assert.deepEqual(seen, [["--dtaa=b", "dtaa", "b"], ["-x", "x", "1"], ["--out", "out", "p"]]);
  const help = { help: true, h: true };
  assert.deepEqual(result, { ...help, level: 3, l: 3, data: "a", out: "o", _: ["q"] });
});

Deno.test("parseArgs() reports positionals without a key, and keeps what is not refused", () => {
  const seen: unknown[] = [];
  const result = parsed(["photo.jpg", "--odd"], {
    unknown(arg, key, value) {
      seen.push([arg, key, value]);
    },
  });
  assert.deepEqual(seen, [["photo.jpg", undefined, undefined], [
    "--odd",
    "odd",
    true,
  ]]);
  assert.deepEqual(result, { odd: true, _: ["photo.jpg"] });
});

Deno.test("parseArgs() takes the names of an object's own properties for ordinary options", () => {
  const result = parseArgs(["--toString", "x", "--__proto__", "y"]);
  assert.equal(result.toString, "x");
  assert.equal(Object.getPrototypeOf(result), Object.prototype);
});

Deno.test("parseArgs() types each option by how it is declared", () => {
  const args = parseArgs(["--tag", "a"], {
    string: ["data", "tag", "host"],
    boolean: ["help", "verbose"],
    collect: ["tag", "verbose"],
    default: { host: "localhost" },
    "--": true,
  });
  const typed: {
    data: string | undefined;
    tag: string[];
    host: string;
    help: boolean;
    verbose: boolean[];
    rest: string[];
    positionals: (string | number)[];
  } = {
    data: args.data,
    tag: args.tag,
    host: args.host,
    help: args.help,
    verbose: args.verbose,
    rest: args["--"],
    positionals: args._,
  };
  // @ts-expect-error a string that was not given is undefined
  const data: string = args.data;
  // @ts-expect-error a flag is no string
  const help: string = args.help;
  assert.equal(data, undefined);
  assert.equal(help, false);
  assert.deepEqual(typed, {
    data: undefined,
    tag: ["a"],
    host: "localhost",
    help: false,
    verbose: [],
    rest: [],
    positionals: [],
  });
});

/**
 * Runs `body` on a clock of its own, which only `tick` moves: by one second, the period of the bar.
 */
async function withClock(
  body: (tick: () => void) => Promise<void>,
): Promise<void> {
  const { setInterval, clearInterval } = globalThis;
  const dateNow = Date.now;
  const performanceNow = performance.now;
  const timers = new Map<number, () => void>();
  let elapsed = 0;
  Object.assign(globalThis, {
    setInterval(callback: () => void, ms: number): number {
      assert.equal(ms, 1000);
      const id = timers.size + 1;
      timers.set(id, callback);
      return id;
    },
    clearInterval: (id: number) => void timers.delete(id),
  });
  Date.now = () => elapsed;
  performance.now = () => elapsed;
  try {
    await body(() => {
      elapsed += 1000;
      for (const callback of timers.values()) callback();
    });
    assert.equal(timers.size, 0, "a stopped bar leaves no timer behind");
  } finally {
    Object.assign(globalThis, { setInterval, clearInterval });
    Date.now = dateNow;
    performance.now = performanceNow;
  }
}

/** A stream that keeps what is written to it. */
function memory(): {
  writable: WritableStream<Uint8Array>;
  text(): string;
  isClosed(): boolean;
} {
  const decoder = new TextDecoder();
  let text = "";
  let closed = false;
  const writable = new WritableStream<Uint8Array>({
    write: (chunk) => void (text += decoder.decode(chunk)),
    close: () => void (closed = true),
  });
  return { writable, text: () => text, isClosed: () => closed };
}

const CLEAR = "\r\x1b[K";

Deno.test("ProgressBar draws at once, every second, and a last time when it stops", async () => {
  await withClock(async (tick) => {
    const { writable, text, isClosed } = memory();
    const bar = new ProgressBar({ writable, max: 10 * 1000, barLength: 10 });
    for (let i = 0; i < 2; i++) {
      bar.value += 1000;
      tick();
    }
    bar.value = bar.max;
    await bar.stop();
    assert.equal(
      text(),
      `${CLEAR}[00:00] [----------] [0.00/9.77 KiB]` +
        `${CLEAR}[00:01] [#---------] [0.98/9.77 KiB]` +
        `${CLEAR}[00:02] [##--------] [1.95/9.77 KiB]` +
        `${CLEAR}[00:02] [##########] [9.77/9.77 KiB]\n`,
    );
    assert.equal(isClosed(), false);
    assert.equal(writable.locked, false);
  });
});

Deno.test("ProgressBar is 50 characters long by default", async () => {
  await withClock(async () => {
    const { writable, text } = memory();
    const bar = new ProgressBar({
      writable,
      value: 1,
      max: 5,
      formatter: ({ progressBar }) => progressBar,
    });
    await bar.stop();
    const line = `${CLEAR}${"#".repeat(10)}${"-".repeat(40)}`;
    assert.equal(text(), `${line}${line}\n`);
  });
});

Deno.test("ProgressBar gives its formatter the state now and at the drawing before", async () => {
  await withClock(async (tick) => {
    const { writable, text } = memory();
    const bar = new ProgressBar({
      writable,
      max: 4,
      barLength: 4,
      fillChar: "=",
      emptyChar: ".",
      formatter: (x) =>
        `${x.styledTime} ${x.progressBar} ${x.previousValue}>${x.value}/${x.max} ` +
        `${x.previousTime}>${x.time};`,
    });
    for (let second = 1; second < 75; second++) tick();
    bar.value = 3;
    tick();
    await bar.stop();
    const lines = text().split(CLEAR);
    assert.equal(lines[1], "00:00 .... 0>0/4 0>0;");
    assert.equal(lines[2], "00:01 .... 0>0/4 0>1000;");
    assert.equal(lines[76], "01:15 ===. 0>3/4 74000>75000;");
    assert.equal(lines[77], "01:15 ===. 3>3/4 75000>75000;\n");
  });
});

Deno.test("ProgressBar stays within its length when the value leaves the range", async () => {
  for (
    const [value, max, expected] of [[9, 4, "####"], [-1, 4, "----"], [
      0,
      0,
      "----",
    ]] as const
  ) {
    await withClock(async () => {
      const { writable, text } = memory();
      const formatter = ({ progressBar }: { progressBar: string }) => progressBar;
      await new ProgressBar({ writable, value, max, barLength: 4, formatter })
        .stop();
      assert.equal(text(), `${CLEAR}${expected}${CLEAR}${expected}\n`);
    });
  }
});

Deno.test("ProgressBar gives data in the largest unit that the maximum reaches", async () => {
  for (const [i, unit] of ["KiB", "MiB", "GiB", "TiB", "PiB"].entries()) {
    await withClock(async () => {
      const { writable, text } = memory();
      const max = 1024 ** (i + 1);
      await new ProgressBar({
        writable,
        value: max / 2,
        max,
        formatter: ({ styledData }) => styledData(1),
      }).stop();
      assert.equal(text(), `${CLEAR}0.5/1.0 ${unit}${CLEAR}0.5/1.0 ${unit}\n`);
    });
  }
});

Deno.test("ProgressBar goes away when it stops with clear", async () => {
  await withClock(async () => {
    const { writable, text } = memory();
    const bar = new ProgressBar({
      writable,
      max: 1,
      clear: true,
      formatter: () => "line",
    });
    await bar.stop();
    assert.equal(text(), `${CLEAR}line${CLEAR}`);
  });
});

Deno.test("ProgressBar closes the stream when it stops without keepOpen", async () => {
  await withClock(async () => {
    const { writable, isClosed } = memory();
    await new ProgressBar({ writable, max: 1, keepOpen: false }).stop();
    assert.equal(isClosed(), true);
  });
});

Deno.test("ProgressBar falls silent when its output fails", async () => {
  await withClock(async () => {
    const writable = new WritableStream<Uint8Array>({
      write() {
        throw new Error("broken pipe");
      },
    });
    const bar = new ProgressBar({ writable, max: 1 });
    await bar.stop();
    assert.equal(writable.locked, false);
  });
});

Deno.test("ProgressBar draws on standard error by default, and lets go of it", async () => {
  const program = `
    import { ProgressBar } from "@std/cli/unstable-progress-bar";
    const bar = new ProgressBar({ max: 1, formatter: ({ value, max }) => value + "/" + max });
    bar.value = 1;
    await bar.stop();
    console.error("then");
  `;
  const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["eval", program],
    // A timer left running would keep the program alive.
    signal: AbortSignal.timeout(20_000),
  }).output();
  const decoder = new TextDecoder();
  assert.equal(decoder.decode(stderr), `${CLEAR}0/1${CLEAR}1/1\nthen\n`);
  assert.equal(decoder.decode(stdout), "");
});
