/**
 * A Python that takes training steps in NumPy, and waits between them.
 */

/** What steps took. */
export interface StepTimes {
  /** Of all of them. */
  readonly seconds: number;
  /** That the process had a core, on all its threads: what else the machine does counts less. */
  readonly cpuSeconds: number;
  /** Each before its step. */
  readonly losses: readonly number[];
}

/** A running Python. */
export class NumpyProcess implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #input: WritableStreamDefaultWriter<Uint8Array>;
  readonly #output: ReadableStreamDefaultReader<string>;
  #text = "";

  /**
   * Starts one.
   *
   * @param python its path
   * @param threads of its BLAS; as many as it likes, if left out
   */
  constructor(readonly python: string, readonly threads?: number) {
    const names = ["OPENBLAS", "OMP", "MKL", "BLIS"].map((name) => `${name}_NUM_THREADS`);
    this.#child = new Deno.Command(python, {
      args: [new URL("numpy_steps.py", import.meta.url).pathname],
      env: threads ? Object.fromEntries(names.map((name) => [name, String(threads)])) : {},
      stdin: "piped",
      stdout: "piped",
    }).spawn();
    this.#input = this.#child.stdin.getWriter();
    this.#output = this.#child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  }

  /**
   * Takes weights and examples.
   *
   * @param folder that has them
   * @param loss whose steps are to be taken
   * @returns what NumPy it is
   */
  async load(folder: string, loss: string): Promise<string> {
    const { numpy, blas } = await this.#ask<{ numpy: string; blas: string }>({
      load: folder,
      loss,
    });
    return `NumPy ${numpy}, ${blas}, ${this.threads ?? "default"} thread${
      this.threads === 1 ? "" : "s"
    }`;
  }

  /** Takes steps. */
  steps(steps: number, rate: number): Promise<StepTimes> {
    return this.#ask({ steps, rate });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#input.close();
    await this.#output.cancel();
    await this.#child.status;
  }

  async #ask<T>(command: unknown): Promise<T> {
    await this.#input.write(new TextEncoder().encode(`${JSON.stringify(command)}\n`));
    while (!this.#text.includes("\n")) {
      const { value, done } = await this.#output.read();
      if (done) throw new Error(`${this.python} ended; it needs NumPy`);
      this.#text += value;
    }
    const end = this.#text.indexOf("\n");
    const answer = JSON.parse(this.#text.slice(0, end));
    this.#text = this.#text.slice(end + 1);
    return answer;
  }
}
