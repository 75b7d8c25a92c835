/**
 * `deno task start`: serves a bundle over HTTP.
 */

import { readCommandLine } from "@clip-e/shared/command-line";
import { type AppOptions, createApp } from "../../app/app.ts";
import type { Classifier } from "../../classifier.ts";
import { describeFaults } from "../../fault_notes.ts";
import { readAppOptions } from "./app_options.ts";
import { openBrowserMode } from "./browser_mode.ts";
import { readBackendChoice } from "./choose_backends.ts";
import { fail } from "./fail.ts";
import { openClassifier } from "./open_classifier.ts";
import { START_COMMAND, type StartOptions } from "./start_command.ts";
import { bundleLocation } from "./user_path.ts";

/** Whose address each request came from: Deno says it beside the request. */
const senders = new WeakMap<Request, string>();

async function open(options: StartOptions): Promise<Classifier> {
  const { digest, workers, maxPixels } = options;
  return await openClassifier({
    bundle: bundleLocation(options.bundle),
    backend: readBackendChoice(options.backend),
    workers,
    maxPixels,
    ...(digest !== undefined && { digest }),
    onError: (error) => console.error(error),
  });
}

function serve(
  classifier: Classifier,
  { host, port }: StartOptions,
  appOptions: AppOptions,
): Deno.HttpServer<Deno.NetAddr> {
  const app = createApp(classifier, appOptions);
  for (const line of describeFaults(classifier.model)) console.warn(line);
  return Deno.serve({ hostname: host, port, onListen: () => {} }, (request, { remoteAddr }) => {
    senders.set(request, remoteAddr.hostname);
    return app.fetch(request);
  });
}

function announce({ addr }: Deno.HttpServer<Deno.NetAddr>, { model }: Classifier): void {
  const host = addr.hostname.includes(":") ? `[${addr.hostname}]` : addr.hostname;
  console.log(
    `Serving ${model.name} (${
      model.bundle.slice(0, 19)
    }, ${model.encoder.backend}) on http://${host}:${addr.port}`,
  );
}

/** Answers what is in flight, takes nothing new, and ends. A second Ctrl-C ends at once. */
function shutDownOnSignal(server: Deno.HttpServer, classifier: Classifier): void {
  let isStopping = false;
  const stop = async () => {
    if (isStopping) Deno.exit(130);
    isStopping = true;
    console.log("Finishing the requests in flight");
    await server.shutdown();
    await classifier.close();
    Deno.exit(0);
  };
  Deno.addSignalListener("SIGINT", stop);
  if (Deno.build.os !== "windows") Deno.addSignalListener("SIGTERM", stop);
}

if (import.meta.main) {
  try {
    const line = readCommandLine(START_COMMAND, Deno.args, (name) => Deno.env.get(name));
    if ("help" in line) console.log(line.help);
    else {
      const { values } = line;
      const appOptions = await readAppOptions(values, (request) => senders.get(request));
      const classifier = await open(values);
      const browserMode = await openBrowserMode(values, console.warn);
      const server = serve(classifier, values, { ...appOptions, ...browserMode });
      shutDownOnSignal(server, classifier);
      // Last: whoever reads it may send requests, and signals.
      announce(server, classifier);
    }
  } catch (error) {
    fail(error);
  }
}
