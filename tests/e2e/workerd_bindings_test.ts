/**
 * What a Worker's environment may hold, in workerd: a bucket with the bundle, secrets, and the platform's own limits and
 * caches.
 */

import { MANIFEST_PATH } from "@clip-e/shared";
import assert from "node:assert/strict";
import { readPicture } from "../golden_file.ts";
import { type BundleFiles, makeSyntheticBundle } from "../synthetic_bundle.ts";
import { assertProblem } from "./assert_problem.ts";
import { classifyOverHttp } from "./classify_over_http.ts";
import { TINY } from "./measured_worker.ts";
import { ignoreWorkers } from "./worker_left_out.ts";
import {
  type ConfiguredWorker,
  startConfiguredWorker,
  type WorkerConfig,
} from "./worker_process.ts";

const ignore = ignoreWorkers;
const picture = await readPicture("small.jpg");

async function withWorker(
  change: (config: WorkerConfig, folder: string) => WorkerConfig | Promise<WorkerConfig>,
  use: (worker: ConfiguredWorker) => Promise<void>,
): Promise<void> {
  const worker = await startConfiguredWorker(TINY, change);
  try {
    await use(worker);
  } finally {
    assert.deepEqual(await worker.stop(), [], "processes stayed");
  }
}

/** What is logged comes some time after the answer. */
async function waitForLog({ log }: ConfiguredWorker, pattern: RegExp): Promise<string> {
  const limit = performance.now() + 5_000;
  while (true) {
    const found = log().match(pattern)?.[0];
    if (found !== undefined) return found;
    if (performance.now() > limit) assert.match(log(), pattern);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Lets a test fill the bucket. */
const bucketEntry = (worker: string) => `
import worker from ${JSON.stringify(worker)};
export default {
  async fetch(request, env, context) {
    const { pathname } = new URL(request.url);
    if (!pathname.startsWith("/test/bucket/")) return await worker.fetch(request, env, context);
    await env.BUNDLE_BUCKET.put(pathname.slice("/test/bucket/".length), await request.arrayBuffer());
    return new Response("kept");
  },
};
`;

async function fillBucket({ url }: ConfiguredWorker, files: BundleFiles): Promise<void> {
  for (const [path, body] of files) {
    const response = await fetch(`${url}/test/bucket/models/one/${path}`, { method: "PUT", body });
    assert.equal(await response.text(), "kept", path);
  }
}

Deno.test({
  name: "the Worker serves a bundle from a bucket, checks every file in full, and joins parts",
  ignore,
  async fn() {
    const { files } = await makeSyntheticBundle();
    const change = async (config: WorkerConfig, folder: string) => {
      await Deno.writeTextFile(`${folder}entry.js`, bucketEntry(config.main));
      const { BUNDLE_DIGEST: _, ...vars } = config.vars;
      return {
        ...config,
        main: `${folder}entry.js`,
        vars: { ...vars, BUNDLE_PREFIX: "models/one" },
        r2_buckets: [{ binding: "BUNDLE_BUCKET", bucket_name: "bundles" }],
      };
    };
    await withWorker(change, async (worker) => {
      const post = () => fetch(`${worker.url}/v1/classify`, { method: "POST", body: picture });
      await assertProblem(await post(), 503, "invalid-bundle");
      await waitForLog(worker, /there is no manifest\.json in the bucket/);

      const encoder = files.get("encoder.onnx") ?? assert.fail();
      const damaged = encoder.slice();
      damaged[damaged.length >> 1] ^= 1;
      await fillBucket(worker, new Map([...files, ["encoder.onnx", damaged]]));
      await assertProblem(await post(), 503, "invalid-bundle");
      await waitForLog(worker, /encoder\.onnx has the SHA-256/);

      const middle = encoder.length >> 1;
      const parts = { "encoder.onnx": { bytes: encoder.length, parts: ["a", "b"] } };
      await fillBucket(
        worker,
        new Map([
          ["a", encoder.slice(0, middle)],
          ["b", encoder.slice(middle)],
          ["parts.json", new TextEncoder().encode(JSON.stringify(parts))],
        ]),
      );
      const { model, image } = await classifyOverHttp(worker.url, picture);
      assert.equal(model.name, "synthetic", "and not the static assets' bundle");
      assert.deepEqual(image, { width: 97, height: 61 });
      const digest = await crypto.subtle.digest(
        "SHA-256",
        files.get(MANIFEST_PATH) ?? assert.fail(),
      );
      assert.equal(model.bundle, `sha256:${new Uint8Array(digest).toHex()}`);
    });
  },
});

const LIMIT = 12;

Deno.test({
  name:
    "the Worker asks for tokens, allows origins, caches, logs and limits, as its environment says",
  ignore,
  async fn() {
    const change = (config: WorkerConfig): WorkerConfig => ({
      ...config,
      vars: {
        ...config.vars,
        TOKENS: "first-token, second-token",
        CORS_ORIGINS: "https://one.example https://two.example",
        ANSWER_CACHE_TTL: "60",
      },
      ratelimits: [{
        name: "RATE_LIMITER",
        namespace_id: "1001",
        simple: { limit: LIMIT, period: 60 },
      }],
    });
    await withWorker(change, async (worker) => {
      const post = (token?: string) =>
        fetch(`${worker.url}/v1/classify?top=1`, {
          method: "POST",
          body: picture,
          headers: {
            Origin: "https://two.example",
            ...(token !== undefined && { Authorization: `Bearer ${token}` }),
          },
        });
      await assertProblem(await post(), 401, "unauthorized");
      await assertProblem(await post("third-token"), 401, "unauthorized");
      const first = await post("second-token");
      assert.equal(first.status, 200);
      assert.equal(first.headers.get("Access-Control-Allow-Origin"), "https://two.example");
      assert.doesNotMatch(first.headers.get("Server-Timing") ?? "", /cache/);
      const second = await post("first-token");
      assert.match(second.headers.get("Server-Timing") ?? "", /cache;desc=hit/);
      assert.equal(await second.text(), await first.text());
      for (const path of ["/healthz", "/readyz", "/"]) {
        const response = await fetch(worker.url + path);
        await response.body?.cancel();
        assert.equal(response.status, 200, path);
      }

      const line = await waitForLog(worker, /^\{.*"status":200.*"pictures":1.*\}$/m);
      const { method, path, status, pictures } = JSON.parse(line);
      assert.deepEqual([method, path, status, pictures], ["POST", "/v1/classify", 200, 1]);
      assert.doesNotMatch(worker.log(), /^\{.*-token.*\}$/m);

      let refused: Response | undefined;
      for (let i = 0; i < LIMIT && !refused; i++) {
        const response = await post("first-token");
        if (response.status === 429) refused = response;
        else await response.body?.cancel();
      }
      assert.ok(refused, "nothing was limited");
      assert.ok(Number(refused.headers.get("Retry-After")) > 0);
      await assertProblem(refused, 429, "rate-limited");
    });
  },
});
