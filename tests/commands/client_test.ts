/**
 * The client against a server as a user starts one; from here, and from Node.
 */

import assert from "node:assert/strict";
import { createClient } from "../../edge/client/mod.ts";
import { readPicture } from "../golden_file.ts";
import { makeSyntheticBundle, writeBundleFiles } from "../synthetic_bundle.ts";
import { bundleScripts } from "../e2e/bundle_scripts.ts";
import { classifyOverHttp } from "../e2e/classify_over_http.ts";
import { type ServerProcess, startServer } from "../e2e/server_process.ts";
import { makeTemporaryFolder, type TemporaryFolder } from "../e2e/temporary_folder.ts";

let folder: TemporaryFolder;
let server: ServerProcess;

Deno.test.beforeAll(async () => {
  folder = await makeTemporaryFolder("client");
  await writeBundleFiles((await makeSyntheticBundle()).files, new URL("bundle/", folder.url));
  server = await startServer(`${folder.path}/bundle`, "--workers", "1");
});
Deno.test.afterAll(async () => {
  await server?.stop();
  await folder.remove();
});

Deno.test("createClient() calls every operation of a server", async () => {
  const client = createClient({ url: server.url });
  const picture = await readPicture("storm.jpg");
  const expected = await classifyOverHttp(server.url, picture);
  assert.deepEqual(await client.classify(picture), expected);
  const several = await client.classifyAll([picture, picture]);
  const { model, ...classified } = expected;
  assert.deepEqual(several, { model, results: [classified, classified] });
  const embedded = await client.embed(picture);
  assert.equal(embedded.embedding.length, embedded.embeddingSpace.size);
  const { results } = await client.embedAll([picture]);
  assert.deepEqual(results, [{ image: embedded.image, embedding: embedded.embedding }]);
  assert.deepEqual((await client.score(embedded)).predictions, expected.predictions);
  assert.equal((await client.model()).bundle, model.bundle);
  assert.equal((await client.health()).status, "ready");
  await assert.rejects(client.classify(picture, { taxonomies: ["none"] }), {
    name: "ApiError",
    code: "unknown-taxonomy",
    status: 422,
  });
});

/** Prints what the client gives for a picture. */
const NODE_SCRIPT = `
  import { readFile } from "node:fs/promises";
  import { ApiError, createClient } from "./client.mjs";
  const [url, picture] = process.argv.slice(2);
  const client = createClient({ url });
  const answer = await client.classify(await readFile(picture));
  const all = await client.classifyAll([await readFile(picture)]);
  const { predictions } = await client.score(await client.embed(await readFile(picture)));
  const error = await client.classify(new Uint8Array([1])).catch((error) => error);
  const code = error instanceof ApiError ? error.code : String(error);
  console.log(JSON.stringify({ answer, all, predictions, code }));
`;

const node = await new Deno.Command("node", { args: ["--version"] }).output().then(
  ({ stdout }) => new TextDecoder().decode(stdout).trim(),
  () => undefined,
);
const hasNode = node !== undefined && Number(/^v(\d+)/.exec(node)?.[1]) >= 20;
if (!hasNode) console.warn("The client's test on Node is left out: there is no Node from 20 on");

Deno.test({
  name: "createClient() works on Node",
  ignore: !hasNode,
  async fn() {
    const scripts = await bundleScripts({ "client.mjs": "edge/client/mod.ts" });
    const client = scripts.get("client.mjs") ?? new Uint8Array();
    await Deno.writeFile(new URL("client.mjs", folder.url), client);
    await Deno.writeTextFile(new URL("main.mjs", folder.url), NODE_SCRIPT);
    const storm = new URL("../../fixtures/pictures/storm.jpg", import.meta.url);
    const { stdout, stderr } = await new Deno.Command("node", {
      args: ["main.mjs", server.url, storm.pathname],
      cwd: folder.url,
    }).output();
    assert.equal(new TextDecoder().decode(stderr), "");
    const expected = await classifyOverHttp(server.url, await readPicture("storm.jpg"));
    const { model, ...classified } = expected;
    assert.deepEqual(JSON.parse(new TextDecoder().decode(stdout)), {
      answer: expected,
      all: { model, results: [classified] },
      predictions: expected.predictions,
      code: "unsupported-type",
    });
    // Nothing but the client itself is in it.
    assert.ok(client.length < 20_000, `the client has ${client.length} bytes`);
  },
});
