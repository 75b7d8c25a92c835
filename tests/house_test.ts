/**
 * The rules of the house, which no compiler checks: who may import whom, how dependencies are named, what may be
 * committed. Each rule is tried on made-up files first, then on the project.
 */

import assert from "node:assert/strict";

const ROOT = new URL("../", import.meta.url);
const ROOMS = ["shared", "edge", "trainer"] as const;

/** A source file. */
interface Source {
  /** From the root, with `/`. */
  readonly path: string;
  readonly text: string;
}

// ---------------------------------------------------------------------------------------------------------------------
// Reading sources

/** Comments and texts, but for templates, which nest. */
const PIECE = /\/\/.*|\/\*[^]*?\*\/|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'/y;
const TEMPLATE_TEXT = /(?:\\[^]|\$(?!\{)|[^`\\$])*(?:`|\$\{)/y;
const PATTERN = /\/(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\[\n])+\/[a-z]*/y;
/** What stands before a regular expression: where these end, a `/` does not divide. */
const BEFORE_PATTERN = /(?:^|[(,=:[!&|?{};+*<>~^-]|\b(?:return|typeof|case|in|of|await|yield))\s*$/;

/** A source without its comments and regular expressions, which may look like code; texts stay. */
function codeOf(text: string): string {
  let code = "";
  let at = 0;
  const take = (pattern: RegExp): string | undefined => {
    pattern.lastIndex = at;
    return pattern.exec(text)?.[0];
  };
  /** What is open: a brace, or a template's `${`. */
  const open: ("{" | "${")[] = [];
  const endOfTemplate = () => {
    const rest = take(TEMPLATE_TEXT) ?? text.slice(at);
    if (rest.endsWith("${")) open.push("${");
    return rest;
  };
  while (at < text.length) {
    const character = text[at];
    const piece = take(PIECE);
    if (piece !== undefined) {
      code += piece.startsWith("/") ? " " : piece;
      at += piece.length;
      continue;
    }
    const pattern = character === "/" && BEFORE_PATTERN.test(code.slice(-40)) && take(PATTERN);
    if (pattern) {
      code += "RegExp";
      at += pattern.length;
      continue;
    }
    code += character;
    at++;
    const closesTemplate = character === "}" && open.pop() === "${";
    if (character === "{") open.push("{");
    if (character === "`" || closesTemplate) {
      const rest = endOfTemplate();
      code += rest;
      at += rest.length;
    }
  }
  return code;
}

/** Everything that a source names in order to load it. */
function specifiersOf(text: string): string[] {
  const code = codeOf(text);
  const forms = [
    /\b(?:import|export)\b[^"'`;()]*?\bfrom\s*["']([^"']+)["']/g,
    /\bimport\s*["']([^"']+)["']/g,
    /\bimport\s*\(\s*["'`]([^"'`]+)["'`]/g,
    /\bnew\s+URL\s*\(\s*["'`]([^"'`]+)["'`]\s*,\s*import\.meta\.url/g,
    /\bimport\.meta\.resolve\s*\(\s*["'`]([^"'`]+)["'`]/g,
  ];
  return forms.flatMap((form) => [...code.matchAll(form)].map(([, specifier]) => specifier));
}

Deno.test("specifiersOf() finds every way to load a module or a file", () => {
  const text = `
    import "./side_effect.ts";
    import one, { two as three } from "./static.ts";
    import type { Four } from './type.ts';
    import * as five from "package/part";
    import {
      six, // six from "./comment.ts"
    } from "./lines.ts";
    export * from "./star.ts";
    export { seven } from "./named.ts";
    const eight = await import("./dynamic.ts");
    const nine = new URL("./file.txt", import.meta.url);
    const ten = import.meta.resolve("./resolved.wasm");
    const eleven = await import(\`./template.ts\`);
    const twelve = \`a \${await import("./inner.ts")} b\`;
  `;
  assert.deepEqual(specifiersOf(text).sort(), [
    "./dynamic.ts",
    "./file.txt",
    "./inner.ts",
    "./lines.ts",
    "./named.ts",
    "./resolved.wasm",
    "./side_effect.ts",
    "./star.ts",
    "./static.ts",
    "./template.ts",
    "./type.ts",
    "package/part",
  ]);
});

Deno.test("specifiersOf() finds nothing in comments, and loses nothing behind texts and patterns", () => {
  const text = `
    // import "./a.ts"
    /** import "./b.ts" */
    const url = "https://example.invalid/*";
    const quote = /["'\`/]/.test(url) ? "'" : \`it's \${\`a "\${url}\`}\`; /* import("./c.ts") */
    const half = quote.length / 2; // import("./d.ts") /
    import("./found.ts");
    const notUrl = new URL("./page", document.baseURI);
  `;
  assert.deepEqual(specifiersOf(text), ["./found.ts"]);
});

// ---------------------------------------------------------------------------------------------------------------------
// Who may use whom

type Doors = ReadonlyMap<string, string>;

/** What the workspace's own names stand for, by each room's `exports`. */
async function readDoors(): Promise<Doors> {
  const doors = new Map<string, string>();
  for (const room of ROOMS) {
    const { name, exports } = JSON.parse(
      await Deno.readTextFile(new URL(`${room}/deno.json`, ROOT)),
    );
    const files: Record<string, string> = typeof exports === "string" ? { ".": exports } : exports;
    for (const [door, file] of Object.entries(files)) {
      doors.set(name + door.slice(1), room + file.slice(1));
    }
  }
  return doors;
}

/** The path from the root that a specifier leads to; `undefined` for a package or another site. */
function resolve(from: string, specifier: string, doors: Doors): string | undefined {
  if (specifier.startsWith("@clip-e/")) return doors.get(specifier) ?? specifier;
  if (!/^\.{1,2}\//.test(specifier)) return undefined;
  const { pathname } = new URL(specifier, `house://clip-e/root/${from}`);
  return pathname.startsWith("/root/") ? pathname.slice("/root/".length) : `..${pathname}`;
}

const TRAINER_MAY_USE = [
  "edge/adapter/deno/native_backend.ts",
  "edge/adapter/deno/open_webgpu.ts",
  "edge/decode/mod.ts",
  "edge/encoder.ts",
  "edge/text/mod.ts",
];
/** Encoders are compared on the project's own pictures where the user names no others. */
const TRAINER_MEASURES_ON = "fixtures/pictures";
/** They run in Deno, where they make what workerd serves, and what browsers get. */
const DENO_SCRIPTS =
  /^edge\/adapter\/(workerd\/(build\/\w+|build_worker|lay_out_assets|put_bundle)|browser\/(build\/\w+|build_page))\.ts$/;

const roomOf = (path: string) => path.split("/")[0];
const adapterOf = (path: string) => /^edge\/adapter\/([^/]+)\//.exec(path)?.[1];

/** What is wrong with the use of `to` in `from`; both are paths from the root. */
function useFault(from: string, to: string): string | undefined {
  const room = roomOf(from);
  const [own, other] = [adapterOf(from), adapterOf(to)];
  if (to === TRAINER_MEASURES_ON && room === "trainer") return undefined;
  if (!ROOMS.some((room) => room === roomOf(to))) return "uses what is in no room";
  if (room === "shared" && roomOf(to) !== "shared") return "shared uses another room";
  if (room === "edge" && roomOf(to) === "trainer") return "edge uses the trainer";
  if (room === "trainer" && roomOf(to) === "edge" && !TRAINER_MAY_USE.includes(to)) {
    return "trainer uses edge by another door than decode, encoder, text, native and webgpu";
  }
  if (room !== "edge" || other === undefined || other === own) return undefined;
  if (own === undefined) return "edge's core uses an adapter";
  return DENO_SCRIPTS.test(from) && other === "deno"
    ? undefined
    : "an adapter uses another adapter";
}

/** What is wrong with the use of a package in `from`. */
function packageFault(from: string, specifier: string): string | undefined {
  if (/^(npm|jsr|https?):/.test(specifier)) return "names a dependency outside deno.json";
  if (roomOf(from) !== "shared") return undefined;
  if (specifier.startsWith("node:")) return "shared uses Node's API";
  if (specifier.startsWith("@std/") && from !== "shared/command_line.ts") {
    return "shared uses @std outside command_line.ts";
  }
  return undefined;
}

/** Words that the code of some files may not hold, and what is wrong with them. */
const BANNED: readonly (readonly [where: RegExp, word: RegExp, fault: string])[] = [
  [/^shared\//, /\bDeno\s*[.[]/, "shared uses Deno's API"],
  [/^shared\//, /\bprocess\s*[.[]/, "shared uses Node's API"],
  [/^shared\//, /\bfetch\s*\(/, "shared uses the network"],
  [/^edge\/(?!adapter\/)/, /\bDeno\s*[.[]/, "edge's core uses Deno's API"],
];

/** Materials beside a checkout and the tests: products know nothing of them, not even in comments. */
const MENTIONS = /\.\.\/shared\/(?:data|models|clip)\b|(?<![\w-])tests\//;

/** Every fault of a product's file. */
function faultsOf({ path, text }: Source, doors: Doors): string[] {
  const faults: string[] = [];
  if (/\.m?[jt]s$/.test(path)) {
    const code = codeOf(text);
    for (const specifier of specifiersOf(text)) {
      const to = resolve(path, specifier, doors);
      const fault = to === undefined ? packageFault(path, specifier) : useFault(path, to);
      if (fault) faults.push(`${fault}: ${specifier}`);
    }
    for (const [where, word, fault] of BANNED) {
      if (where.test(path) && word.test(code)) faults.push(fault);
    }
  }
  const mention = MENTIONS.exec(text)?.[0];
  if (mention) faults.push(`mentions ${mention}`);
  return faults;
}

/** Code that breaks a rule, where it would stand, and what is said of it. */
const BREACHES: readonly (readonly [path: string, text: string, fault: string])[] = [
  ["shared/a.ts", 'import "../edge/plan.ts";', "shared uses another room: ../edge/plan.ts"],
  ["shared/a.ts", 'import "@clip-e/trainer";', "shared uses another room: @clip-e/trainer"],
  [
    "shared/a.ts",
    'export * from "@clip-e/edge/decode";',
    "shared uses another room: @clip-e/edge/decode",
  ],
  [
    "shared/a.ts",
    'new URL("../fixtures/a.json", import.meta.url);',
    "uses what is in no room: ../fixtures/a.json",
  ],
  ["shared/a.ts", 'await Deno.readFile("a");', "shared uses Deno's API"],
  ["shared/a.ts", 'import { join } from "node:path";', "shared uses Node's API: node:path"],
  ["shared/a.ts", "process.exit();", "shared uses Node's API"],
  ["shared/a.ts", 'await fetch("a");', "shared uses the network"],
  [
    "shared/a.ts",
    'import "@std/cli/parse-args";',
    "shared uses @std outside command_line.ts: @std/cli/parse-args",
  ],
  ["edge/a.ts", 'await import("../trainer/mod.ts");', "edge uses the trainer: ../trainer/mod.ts"],
  ["edge/a.ts", 'import "@clip-e/trainer";', "edge uses the trainer: @clip-e/trainer"],
  ["edge/app/a.ts", "Deno.serve(() => new Response());", "edge's core uses Deno's API"],
  ["edge/page/a.js", 'Deno["env"];', "edge's core uses Deno's API"],
  [
    "edge/a.ts",
    'import "./adapter/deno/mod.ts";',
    "edge's core uses an adapter: ./adapter/deno/mod.ts",
  ],
  [
    "edge/adapter/workerd/a.ts",
    'import "../deno/mod.ts";',
    "an adapter uses another adapter: ../deno/mod.ts",
  ],
  [
    "edge/adapter/deno/a.ts",
    'new URL("../workerd/worker.js", import.meta.url);',
    "an adapter uses another adapter: ../workerd/worker.js",
  ],
  [
    "edge/adapter/deno/a.ts",
    'import "@clip-e/edge/unknown";',
    "uses what is in no room: @clip-e/edge/unknown",
  ],
  [
    "trainer/a.ts",
    'import "@clip-e/edge";',
    "trainer uses edge by another door than decode, encoder, text, native and webgpu: @clip-e/edge",
  ],
  [
    "trainer/a.ts",
    'import "../edge/decode/decoders.ts";',
    "trainer uses edge by another door than decode, encoder, text, native and webgpu: ../edge/decode/decoders.ts",
  ],
  ["trainer/a.ts", 'import "../tests/random.ts";', "uses what is in no room: ../tests/random.ts"],
  ["trainer/a.ts", 'import "../../other/a.ts";', "uses what is in no room: ../../other/a.ts"],
  ["trainer/a.ts", 'import "npm:hono@4";', "names a dependency outside deno.json: npm:hono@4"],
  ["trainer/a.ts", '// Try it on "../shared/data/x".', "mentions ../shared/data"],
  ["edge/README.md", "See ../shared/models.", "mentions ../shared/models"],
  ["edge/page/a.html", "<!-- see tests/edge -->", "mentions tests/"],
];

Deno.test("the rules of import and API refuse every breach", async () => {
  const doors = await readDoors();
  for (const [path, text, fault] of BREACHES) {
    assert.ok(faultsOf({ path, text }, doors).includes(fault), `${path}: ${text}`);
  }
});

/** Code that keeps the rules, though it looks as if it did not. */
const ALLOWED: readonly (readonly [path: string, text: string])[] = [
  ["shared/a.ts", 'import { z } from "zod"; export * from "./b.ts";'],
  [
    "shared/a.ts",
    "// Deno.readFile() and fetch() are not for here; nor is process.env.\nconst x = 1;",
  ],
  ["shared/command_line.ts", 'import { parseArgs } from "@std/cli/parse-args";'],
  ["edge/a.ts", 'import { z } from "@clip-e/shared"; import "../shared/mod.ts"; fetch("a");'],
  ["edge/a.ts", "/** Give it to `Deno.serve`. */ export const a = 1;"],
  ["edge/adapter/deno/a.ts", 'import "./b.ts"; import "../../mod.ts"; Deno.serve(f);'],
  ["edge/adapter/workerd/lay_out_assets.ts", 'import { fail } from "../deno/fail.ts";'],
  ["trainer/a.ts", 'import "@clip-e/edge/decode"; import "@clip-e/edge/encoder";'],
  ["trainer/a.ts", 'import "../edge/encoder.ts"; import "node:path"; await Deno.readFile("a");'],
  ["trainer/a.ts", "// A run of contests/year and unit-tests/ is no mention."],
];

Deno.test("the rules of import and API let pass what keeps them", async () => {
  const doors = await readDoors();
  for (const [path, text] of ALLOWED) assert.deepEqual(faultsOf({ path, text }, doors), [], text);
});

/** The files below a folder, with their paths from the root. */
async function* filesBelow(folder: string): AsyncGenerator<string> {
  for await (const { name, isDirectory } of Deno.readDir(new URL(folder, ROOT))) {
    if (name === "node_modules" || name.startsWith(".")) continue;
    if (isDirectory) yield* filesBelow(`${folder}${name}/`);
    else yield folder + name;
  }
}

for (const room of ROOMS) {
  Deno.test(`${room} keeps the rules of import and API`, async () => {
    const doors = await readDoors();
    const faults: string[] = [];
    let files = 0;
    for await (const path of filesBelow(`${room}/`)) {
      if (!/\.(m?[jt]s|html|css|svg|jsonc?|md)$/.test(path)) continue;
      const text = await Deno.readTextFile(new URL(path, ROOT));
      faults.push(...faultsOf({ path, text }, doors).map((fault) => `${path}: ${fault}`));
      files++;
    }
    assert.deepEqual(faults, []);
    assert.ok(files > 10, `only ${files} files were looked at`);
  });
}

// ---------------------------------------------------------------------------------------------------------------------
// Dependencies and tasks

const config: {
  readonly imports: Readonly<Record<string, string>>;
  readonly links: readonly string[];
  readonly tasks: Readonly<
    Record<string, { readonly description?: string; readonly command?: string }>
  >;
} = JSON.parse(await Deno.readTextFile(new URL("deno.json", ROOT)));

const PINNED = /^npm:(@[\w.-]+\/)?[\w.-]+@\d+\.\d+\.\d+(-[\w.]+)?$/;

Deno.test("deno.json pins every npm dependency exactly, under its own name", () => {
  for (
    const loose of ["npm:a@^1.0.0", "npm:a@~1.0.0", "npm:a@1", "npm:a", "npm:a@*", "npm:@b/a@1.x"]
  ) {
    assert.doesNotMatch(loose, PINNED);
  }
  assert.match("npm:@b/a@1.20.0-1", PINNED);
  for (const [name, target] of Object.entries(config.imports)) {
    if (target.startsWith("jsr:")) continue;
    assert.match(target, PINNED, name);
    assert.equal(target.slice("npm:".length, target.lastIndexOf("@")), name);
  }
});

Deno.test("deno.json pins the npm packages that its tasks run", () => {
  for (const [name, { command = "" }] of Object.entries(config.tasks)) {
    for (const [target] of command.matchAll(/\bnpm:[^\s"']+/g)) assert.match(target, PINNED, name);
  }
});

Deno.test("deno.json takes nothing from jsr but @std/cli, which is linked to a folder here", async () => {
  const others = Object.entries(config.imports).filter(([, target]) => !target.startsWith("npm:"));
  assert.deepEqual(others, [["@std/cli", "jsr:@std/cli@^1"]]);
  const names = await Promise.all(config.links.map(async (folder) => {
    return JSON.parse(await Deno.readTextFile(new URL(`${folder}/deno.json`, ROOT))).name;
  }));
  assert.deepEqual(names, ["@std/cli"]);
});

Deno.test("deno.json is the one place that names dependencies", async () => {
  for (const room of ROOMS) {
    const own = JSON.parse(await Deno.readTextFile(new URL(`${room}/deno.json`, ROOT)));
    assert.equal(own.imports, undefined, room);
  }
});

/** Whether a text has a line on a dependency, by its whole name. */
function mentionsDependency(text: string, name: string): boolean {
  const whole = name.replace(/[.*+?^${}()|[\]\\/]/g, "\\$&");
  return new RegExp(`(?<![\\w@/.-])${whole}(?![\\w/-])`).test(text);
}

Deno.test("mentionsDependency() takes whole names only", () => {
  assert.ok(mentionsDependency("| `hono` | the server |", "hono"));
  assert.ok(mentionsDependency("- @jsquash/png: decodes", "@jsquash/png"));
  assert.ok(!mentionsDependency("`@hono/zod-openapi`, `hono-x`", "hono"));
  assert.ok(!mentionsDependency("`@jsquash/png-more`", "@jsquash/png"));
});

const contributing = await Deno.readTextFile(new URL("CONTRIBUTING.md", ROOT)).catch(() =>
  undefined
);

Deno.test({
  name: "CONTRIBUTING.md has a line on every dependency" +
    (contributing === undefined ? " (left out: there is no CONTRIBUTING.md yet)" : ""),
  ignore: contributing === undefined,
  fn() {
    const names = Object.keys(config.imports);
    assert.deepEqual(names.filter((name) => !mentionsDependency(contributing ?? "", name)), []);
  },
});

Deno.test("deno.json says of every task in a line what it does", () => {
  for (const [name, { description }] of Object.entries(config.tasks)) {
    assert.match(description ?? "", /^[A-Z].{9,99}$/, name);
  }
});

Deno.test("deno.json names only files and folders that exist in its tasks", async () => {
  for (const [name, { command = "" }] of Object.entries(config.tasks)) {
    const paths = command.match(/(?<=^|\s)(?:shared|edge|trainer|fixtures|tests)\/[\w./-]*/g) ?? [];
    for (const path of paths) {
      const exists = await Deno.stat(new URL(path, ROOT)).then(() => true, () => false);
      assert.ok(exists, `${name}: there is no ${path}`);
    }
  }
});

// ---------------------------------------------------------------------------------------------------------------------
// What is committed

const MAX_BYTES = 4_000_000;

/** Written in parts: this file is looked at too. */
const REGISTRY_HOSTS: readonly string[] = [
  ["npmjs", "org"],
  ["npmjs", "com"],
  ["yarnpkg", "com"],
  ["npmmirror", "com"],
  ["jsr", "io"],
  ["deno", "land/x"],
  ["esm", "sh"],
  ["unpkg", "com"],
  ["jsdelivr", "net"],
  ["skypack", "dev"],
  ["pypi", "org"],
  ["pythonhosted", "org"],
  ["crates", "io"],
  ["proxy.golang", "org"],
].map((parts) => parts.join("."));

/** The first registry that a text names. */
function findRegistry(text: string): string | undefined {
  return REGISTRY_HOSTS.find((host) => text.toLowerCase().includes(host));
}

/** What git keeps; `undefined` where there is no git or no repository. */
async function committedFiles(): Promise<string[] | undefined> {
  try {
    const git = new Deno.Command("git", { args: ["ls-files", "-z"], cwd: ROOT, stderr: "null" });
    const { success, stdout } = await git.output();
    if (!success) return undefined;
    return new TextDecoder().decode(stdout).split("\0").filter((path) => path !== "");
  } catch {
    return undefined;
  }
}

const committed = await committedFiles();
const leftOut = committed === undefined ? " (left out: this is no git repository)" : "";

Deno.test({
  name: `no committed file is larger than 4 MB${leftOut}`,
  ignore: committed === undefined,
  async fn() {
    const large: string[] = [];
    for (const path of committed ?? []) {
      const { size } = await Deno.lstat(new URL(path, ROOT)).catch(() => ({ size: 0 }));
      if (size > MAX_BYTES) large.push(`${path}: ${size} bytes`);
    }
    assert.deepEqual(large, []);
  },
});

Deno.test({
  name: `no committed file names a registry's host, but for deno.lock${leftOut}`,
  ignore: committed === undefined,
  async fn() {
    assert.ok(findRegistry(`see https://Registry.${REGISTRY_HOSTS[0]}/hono`));
    const found: string[] = [];
    for (const path of committed ?? []) {
      if (path === "deno.lock") continue;
      const bytes = await Deno.readFile(new URL(encodeURI(path), ROOT)).catch(() =>
        new Uint8Array()
      );
      const host = findRegistry(new TextDecoder("latin1").decode(bytes));
      if (host) found.push(`${path}: ${host}`);
    }
    assert.deepEqual(found, []);
  },
});
