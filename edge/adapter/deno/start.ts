/**
 * `deno task start`: serves a bundle over HTTP.
 */

import { type FlagValues, readCommandLine } from "@clip-e/shared/command-line";
import { APP_DEFAULTS, createApp } from "../../app/app.ts";
import { type Classifier, createClassifier, DEFAULT_MAX_PIXELS } from "../../classifier.ts";
import { describeFaults } from "../../fault_notes.ts";
import { BACKEND_FLAG, readBackendChoice } from "./choose_backends.ts";
import { chooseRuntime } from "./choose_runtime.ts";
import { fail } from "./fail.ts";
import { folderSource } from "./folder_source.ts";
import { pageSource } from "./page_source.ts";
import { BUNDLE_FLAG, bundleFolder } from "./user_path.ts";
import { createWorkerPool } from "./worker_pool.ts";

const COMMAND = {
  name: "deno task start",
  description: "Serves a bundle over HTTP. Ctrl-C finishes the requests in flight.",
  flags: {
    bundle: BUNDLE_FLAG,
    backend: BACKEND_FLAG,
    digest: {
      kind: "string",
      value: "sha256:HEX",
      env: "CLIP_E_DIGEST",
      help: "Refuse a bundle whose manifest has another digest",
    },
    host: {
      kind: "string",
      value: "ADDRESS",
      default: "127.0.0.1",
      env: "CLIP_E_HOST",
      help: "Where to listen: localhost, 127.0.0.1, 0.0.0.0, ::1 or ::",
    },
    port: {
      kind: "integer",
      default: 8000,
      min: 0,
      max: 65535,
      env: "CLIP_E_PORT",
      help: "0 takes any that is free",
    },
    workers: {
      kind: "integer",
      default: navigator.hardwareConcurrency,
      min: 1,
      env: "CLIP_E_WORKERS",
      help: "Pictures computed at once",
    },
    maxBytes: {
      kind: "integer",
      default: APP_DEFAULTS.maxBytes,
      min: 1,
      env: "CLIP_E_MAX_BYTES",
      help: "The largest upload, in bytes",
    },
    maxBytesInFlight: {
      kind: "integer",
      default: APP_DEFAULTS.maxBytesInFlight,
      min: 1,
      env: "CLIP_E_MAX_BYTES_IN_FLIGHT",
      help: "Bytes of uploads in memory at once; more are answered 503",
    },
    maxPictures: {
      kind: "integer",
      default: APP_DEFAULTS.maxPictures,
      min: 1,
      env: "CLIP_E_MAX_PICTURES",
      help: "The most pictures in one request",
    },
    maxPixels: {
      kind: "integer",
      default: DEFAULT_MAX_PIXELS,
      min: 1,
      env: "CLIP_E_MAX_PIXELS",
      help: "The largest picture, in pixels",
    },
    maxQueue: {
      kind: "integer",
      default: APP_DEFAULTS.maxQueue,
      min: 0,
      env: "CLIP_E_MAX_QUEUE",
      help: "Pictures that may wait; more are answered 503",
    },
    uploadTimeout: {
      kind: "integer",
      default: APP_DEFAULTS.uploadTimeout,
      min: 1,
      env: "CLIP_E_UPLOAD_TIMEOUT",
      help: "How long an upload may take, in milliseconds",
    },
    corsOrigin: {
      kind: "string",
      value: "ORIGIN",
      env: "CLIP_E_CORS_ORIGIN",
      help: "An origin whose pages may call, or *",
    },
  },
} as const;

type Options = FlagValues<typeof COMMAND.flags>;

/** In workers, or in this thread where there are none. */
async function openClassifier(options: Options): Promise<Classifier> {
  const { digest, workers, maxPixels } = options;
  const bundle = bundleFolder(options.bundle);
  const backend = readBackendChoice(options.backend);
  const checked = { maxPixels, ...(digest !== undefined && { digest }) };
  if (typeof Worker === "undefined") {
    const runtime = chooseRuntime(backend);
    return await createClassifier({ ...checked, ...runtime, bundle: folderSource(bundle) });
  }
  const onError = (error: unknown) => console.error(error);
  return await createWorkerPool({ ...checked, bundle, backend, workers, onError });
}

function serve(
  classifier: Classifier,
  options: Options,
): Deno.HttpServer<Deno.NetAddr> {
  const { model } = classifier;
  const { host, port, corsOrigin } = options;
  const { maxBytes, maxBytesInFlight, maxPictures, maxQueue, uploadTimeout } = options;
  const app = createApp(classifier, {
    maxBytes,
    maxBytesInFlight,
    maxPictures,
    maxQueue,
    uploadTimeout,
    ...(corsOrigin !== undefined && { corsOrigin }),
    page: pageSource,
    onError: (error) => console.error(error),
  });
  for (const line of describeFaults(model)) console.warn(line);
  return Deno.serve({
    hostname: host,
    port,
    onListen: () => {},
  }, app.fetch);
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
    const line = readCommandLine(COMMAND, Deno.args, (name) => Deno.env.get(name));
    if ("help" in line) console.log(line.help);
    else {
      const classifier = await openClassifier(line.values);
      const server = serve(classifier, line.values);
      shutDownOnSignal(server, classifier);
      // Last: whoever reads it may send requests, and signals.
      announce(server, classifier);
    }
  } catch (error) {
    fail(error);
  }
}
