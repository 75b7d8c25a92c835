/**
 * The library in a process of its own, with a lock file of its own: two copies of the native runtime do not go into one, and
 * the project's dependencies stay what they are. Times are taken over there.
 */

import type { Answer, Contender, Setup } from "./contender.ts";
import { LABEL_SETS, type LabelSet } from "./label_sets.ts";
import { type Library, openLibrary } from "./library.ts";

const LOCK = new URL("transformers.lock", import.meta.url).pathname;

/** What the process is asked. */
interface Question {
  readonly contender: keyof Library;
  /** The label set's id. */
  readonly labels: string;
  /** A file. */
  readonly picture: string;
}

/** The library over there. */
export interface LibraryProcess extends AsyncDisposable {
  /** Its two ways to answer. */
  readonly contenders: Library;
}

/**
 * Starts the process.
 *
 * @param setup what it loads
 * @throws {Error} when it does not come up; it has said why on stderr
 */
export async function startLibrary(setup: Setup): Promise<LibraryProcess> {
  const process = new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "--allow-all", "--quiet", "--node-modules-dir=none", `--lock=${LOCK}`],
      ...[import.meta.url, JSON.stringify(setup)],
    ],
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  // Its only line is the port.
  const { value } = await process.stdout.pipeThrough(new TextDecoderStream()).getReader().read();
  if (value === undefined) throw new Error("Cannot start the library: its process has ended");
  const ask = async (question: Question): Promise<Answer> => {
    const body = JSON.stringify(question);
    const answer = await fetch(`http://127.0.0.1:${Number(value)}`, { method: "POST", body });
    if (!answer.ok) throw new Error(`The library cannot answer: ${await answer.text()}`);
    return await answer.json();
  };
  const contender = (name: keyof Library): Contender => ({
    prepare: ({ id }) =>
      Promise.resolve((picture) => ask({ contender: name, labels: id, picture })),
  });
  return {
    contenders: { pipeline: contender("pipeline"), cached: contender("cached") },
    async [Symbol.asyncDispose]() {
      await process.stdin.close();
      await process.status;
    },
  };
}

async function serve(setup: Setup): Promise<void> {
  const library = await openLibrary(setup);
  const prepared = new Map<string, ReturnType<Contender["prepare"]>>();
  const prepare = (contender: keyof Library, labels: string) => {
    const key = `${contender} ${labels}`;
    const answerer = prepared.get(key) ?? library[contender].prepare(labelSet(labels));
    prepared.set(key, answerer);
    return answerer;
  };
  const onListen = ({ port }: Deno.NetAddr) => console.log(port);
  Deno.serve({ hostname: "127.0.0.1", port: 0, onListen }, async (request) => {
    const { contender, labels, picture }: Question = await request.json();
    const answer = await prepare(contender, labels);
    return Response.json(await answer(picture));
  });
  // Its input ends with the process that started it, however that ends.
  await Deno.stdin.readable.pipeTo(new WritableStream());
  Deno.exit(0);
}

function labelSet(id: string): LabelSet {
  const set = LABEL_SETS.find((set) => set.id === id);
  if (set) return set;
  throw new RangeError(`There are no labels ${id}`);
}

if (import.meta.main) await serve(JSON.parse(Deno.args[0]));
