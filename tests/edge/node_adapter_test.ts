/**
 * The adapter for Node, as far as Deno can run it; `tests/e2e/npm_package_test.ts` runs it in Node.
 */

import { createClassifier, folderSource, openNativeBackend } from "@clip-e/edge/node";
import assert from "node:assert/strict";
import { readPicture } from "../golden_file.ts";

const TINY = new URL("../../fixtures/bundles/tiny/", import.meta.url);

Deno.test("folderSource() of Node reads files, and has nothing for those that are not there", async () => {
  const source = folderSource(TINY);
  const manifest = await source.read("manifest.json");
  assert.deepEqual(manifest, await Deno.readFile(new URL("manifest.json", TINY)));
  assert.equal(await source.read("nothing"), undefined);
  assert.equal(await source.read("manifest.json/nothing"), undefined);
  await assert.rejects(source.read("heads"), /EISDIR|directory/);
  assert.equal(source.location, TINY.pathname.replace(/\/$/, ""));
});

Deno.test("openNativeBackend() of Node says what to install where its package is missing", () => {
  assert.throws(openNativeBackend, {
    code: "internal",
    message:
      /^The native backend cannot be loaded: .*Install onnxruntime-node, or use WebAssembly$/,
  });
});

Deno.test("createClassifier() of Node opens a folder, and refuses one that holds no bundle", async () => {
  const classifier = await createClassifier({ bundle: folderSource(TINY) });
  assert.equal(classifier.model.encoder.backend, "wasm");
  const { image } = await classifier.classify(await readPicture("lossy.webp"), { top: 1 });
  assert.ok(image.width > 0);
  await classifier.close();
  const empty = folderSource(new URL("heads", TINY));
  await assert.rejects(createClassifier({ bundle: empty }), { code: "invalid-bundle" });
});

Deno.test("createClassifier() of Node takes other backends than its own", async () => {
  const unused = { name: "native" as const, open: () => Promise.reject(new Error("not today")) };
  await assert.rejects(
    createClassifier({ bundle: folderSource(TINY), backends: [unused] }),
    /not today/,
  );
});
