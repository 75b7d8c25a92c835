/**
 * The entry for `deno serve` and for Deno Deploy, which take a module that can answer requests. The options of
 * `deno task start` come from the environment alone; where to listen is not its to say. It needs no permission to write,
 * and loads no machine code unless that is installed and permitted.
 */

import "./without_location.ts";
import { readCommandLine, UsageError } from "@clip-e/shared/command-line";
import { createApp, type EdgeApp } from "../../app/app.ts";
import { createLazyApp } from "../../app/lazy_app.ts";
import { describeFaults } from "../../fault_notes.ts";
import { readAppOptions } from "./app_options.ts";
import { openBrowserMode } from "./browser_mode.ts";
import { readBackendChoice } from "./choose_backends.ts";
import { openClassifier } from "./open_classifier.ts";
import { START_COMMAND } from "./start_command.ts";
import { bundleLocation } from "./user_path.ts";

const line = readCommandLine(START_COMMAND, [], (name) => Deno.env.get(name));
if ("help" in line) throw new UsageError("There is no command line to help with");
const { values } = line;
const backend = readBackendChoice(values.backend);
/** Whose address each request came from: Deno says it beside the request. */
const senders = new WeakMap<Request, string>();
const appOptions = await readAppOptions(values, (request) => senders.get(request));

async function open(): Promise<EdgeApp> {
  const { digest, maxPixels, workers } = values;
  const classifier = await openClassifier({
    bundle: bundleLocation(values.bundle),
    backend,
    maxPixels,
    workers,
    ...(digest !== undefined && { digest }),
    onError: console.error,
  });
  for (const line of describeFaults(classifier.model)) console.warn(line);
  return createApp(classifier, { ...appOptions, ...await openBrowserMode(values, console.warn) });
}

const app = createLazyApp(open, console.error);

/** `deno serve` hears these too: it drops its connections and then waits for workers, who never end by themselves. */
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  try {
    Deno.addSignalListener(signal, () => Deno.exit(0));
  } catch {
    // Not every platform has signals, or all of them.
  }
}

/** What answers. */
const server: Deno.ServeDefaultExport = {
  fetch(request, { remoteAddr }) {
    if ("hostname" in remoteAddr) senders.set(request, remoteAddr.hostname);
    return app.fetch(request);
  },
};

export default server;
