import assert from "node:assert/strict";
import { isAbsolute } from "node:path";
import { TEMPLATE } from "../../edge/adapter/workerd/build/places.ts";
import { makeWorkerConfig, readJsonc } from "../../edge/adapter/workerd/build/worker_config.ts";

const DIGEST = `sha256:${"0".repeat(64)}`;

async function withTemplate(text: string, use: (template: string) => Promise<void>): Promise<void> {
  const template = await Deno.makeTempFile({ suffix: ".jsonc" });
  try {
    await Deno.writeTextFile(template, text);
    await use(template);
  } finally {
    await Deno.remove(template);
  }
}

Deno.test("readJsonc() reads comments and trailing commas, and leaves texts alone", () => {
  const text = `{
    // a comment, with "quotes" and a comma,
    "url": "https://example.com/*", /* another,
    over lines */
    "list": [1, 2, /* none */ ],
    "text": "a \\" // ,]",
  }`;
  assert.deepEqual(readJsonc(text, "a.jsonc"), {
    url: "https://example.com/*",
    list: [1, 2],
    text: 'a " // ,]',
  });
  assert.throws(() => readJsonc("{ a: 1 }", "a.jsonc"), /Cannot read a\.jsonc as JSON/);
});

Deno.test("makeWorkerConfig() pins the bundle, and names places that exist from anywhere", async () => {
  const config = JSON.parse(
    await makeWorkerConfig({ template: TEMPLATE, assets: "/assets", digest: DIGEST }),
  );
  assert.equal(config.vars.BUNDLE_DIGEST, DIGEST);
  assert.equal(config.vars.LOG, "requests");
  assert.deepEqual(config.observability, { enabled: true });
  assert.equal(config.assets.directory, "/assets");
  assert.equal(config.assets.run_worker_first, true);
  for (const path of [config.main, ...Object.values<string>(config.alias)]) {
    assert.ok(isAbsolute(path) && (await Deno.stat(path)).isFile, path);
  }
});

Deno.test("makeWorkerConfig() pins nothing for a bundle from a bucket, but what people pinned", async () => {
  const bucket = { binding: "BUNDLE_BUCKET", bucket_name: "bundles" };
  const template = { main: "worker.js", assets: {}, r2_buckets: [bucket] };
  await withTemplate(JSON.stringify(template), async (template) => {
    const made = await makeWorkerConfig({ template, assets: "/assets", digest: DIGEST });
    assert.deepEqual(JSON.parse(made).vars, {});
  });
  const pinned = { ...template, vars: { BUNDLE_DIGEST: "sha256:1" } };
  await withTemplate(JSON.stringify(pinned), async (template) => {
    const made = await makeWorkerConfig({ template, assets: "/assets", digest: DIGEST });
    assert.deepEqual(JSON.parse(made).vars, { BUNDLE_DIGEST: "sha256:1" });
  });
});
