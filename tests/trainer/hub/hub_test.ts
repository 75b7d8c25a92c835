/**
 * `fetchHubFiles()` against a hub on this machine that misbehaves in every way a real one has.
 */

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { fetchHubFiles, type FetchHubFilesOptions } from "../../../trainer/hub/hub.ts";
import { TrainerError } from "../../../trainer/errors.ts";
import { scanCacheDir } from "@huggingface/hub";
import { LocalHub, type LocalHubOptions, type LocalModel } from "../../local_hub.ts";
import { seededRandom } from "../../random.ts";

const NAME = "acme/clip-tiny";
const WEIGHTS = "onnx/vision_model.onnx";
const CONFIG = "config.json";
const BYTES = seededRandom(1).bytes(200_000);
const MODEL: LocalModel = {
  name: NAME,
  files: {
    [CONFIG]: '{"model_type":"clip"}',
    [WEIGHTS]: BYTES,
    "onnx/text_model.onnx": seededRandom(2).bytes(50_000),
    "tokenizer.json": "{}",
    "README.md": "# A model",
  },
  card: { license: "mit" },
};
const SHA256 = createHash("sha256").update(BYTES).digest("hex");
/** A test waits for nothing longer than it must. */
const PATIENCE = { waits: [1, 1, 1], silence: 300 };

/** A hub, an empty cache, and a call that fetches from one to the other. */
class Scene implements AsyncDisposable {
  private constructor(readonly hub: LocalHub, readonly cacheDir: string) {}

  static async set(model: LocalModel = MODEL, options: LocalHubOptions = {}): Promise<Scene> {
    return new Scene(await LocalHub.start([model], options), await Deno.makeTempDir());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.hub[Symbol.asyncDispose]();
    await Deno.remove(this.cacheDir, { recursive: true });
  }

  fetch(options: Partial<FetchHubFilesOptions> = {}) {
    return fetchHubFiles({
      model: NAME,
      files: () => [CONFIG, WEIGHTS],
      endpoint: this.hub.endpoint,
      cacheDir: this.cacheDir,
      token: "",
      patience: PATIENCE,
      ...options,
    });
  }

  /** Fetches what cannot be had, and hands over the sentence. */
  async fail(options: Partial<FetchHubFilesOptions> = {}): Promise<string> {
    const error = await this.fetch(options).then(() => undefined, (error: unknown) => error);
    assert.ok(error instanceof TrainerError, `no TrainerError but ${error}`);
    return error.message;
  }

  get folder(): string {
    return `${this.cacheDir}/models--acme--clip-tiny`;
  }

  get weightsBlob(): string {
    return `${this.folder}/blobs/${SHA256}`;
  }

  /** Ranges asked of the storage, in order. */
  get ranges(): (string | undefined)[] {
    return this.hub.requests.filter(({ server }) => server === "storage").map(({ range }) => range);
  }

  /** Files asked for, each as often as it was. */
  get contents(): string[] {
    const commit = this.hub.commitOf(NAME);
    return this.hub.contentRequests.map(({ path }) => path.split(`${commit}/`)[1]);
  }
}

async function exists(path: string): Promise<boolean> {
  return await Deno.lstat(path).then(() => true, () => false);
}

Deno.test("fetchHubFiles() fetches the chosen files alone, and says the commit and the licence", async () => {
  await using scene = await Scene.set();
  const { commit, license, files } = await scene.fetch();
  assert.equal(commit, scene.hub.commitOf(NAME));
  assert.equal(license, "mit");
  assert.deepEqual([...files.keys()], [CONFIG, WEIGHTS]);
  const weights = files.get(WEIGHTS);
  assert.equal(weights?.sha256, SHA256);
  assert.equal(weights.bytes, BYTES.length);
  assert.deepEqual(await Deno.readFile(weights.localPath), BYTES);
  assert.equal(files.get(CONFIG)?.sha256, undefined);
  assert.deepEqual(scene.contents, [CONFIG, WEIGHTS]);
});

Deno.test("fetchHubFiles() lays the cache out as other tools of the hub do", async () => {
  await using scene = await Scene.set();
  const { commit, files } = await scene.fetch();
  assert.equal(files.get(WEIGHTS)?.localPath, `${scene.folder}/snapshots/${commit}/${WEIGHTS}`);
  assert.equal(
    await Deno.readLink(`${scene.folder}/snapshots/${commit}/${WEIGHTS}`),
    `../../../blobs/${SHA256}`,
  );
  assert.equal(await Deno.readTextFile(`${scene.folder}/refs/main`), commit);
  const { repos: [repo], warnings } = await scanCacheDir(scene.cacheDir);
  assert.deepEqual(warnings, []);
  assert.deepEqual(repo.id, { type: "model", name: NAME });
  assert.deepEqual(repo.revisions.map(({ commitOid, refs }) => [commitOid, refs]), [
    [commit, ["main"]],
  ]);
});

Deno.test("fetchHubFiles() takes what another tool has put into the cache", async () => {
  await using scene = await Scene.set();
  await Deno.mkdir(`${scene.folder}/blobs`, { recursive: true });
  await Deno.writeFile(scene.weightsBlob, BYTES);
  const { files } = await scene.fetch();
  assert.deepEqual(scene.contents, [CONFIG]);
  assert.deepEqual(await Deno.readFile(files.get(WEIGHTS)?.localPath ?? ""), BYTES);
});

Deno.test("fetchHubFiles() fetches nothing twice", async () => {
  await using scene = await Scene.set();
  const first = await scene.fetch();
  scene.hub.reset();
  const progress: unknown[] = [];
  assert.deepEqual(await scene.fetch({ onProgress: (it) => progress.push(it) }), first);
  assert.deepEqual(scene.contents, []);
  assert.deepEqual(progress, []);
  // Of a branch it must ask what it means now, and of nothing else.
  assert.equal(scene.hub.requests.length, 1);
});

Deno.test("fetchHubFiles() needs no hub for a commit whose files are all there", async () => {
  await using scene = await Scene.set();
  const first = await scene.fetch();
  await scene.hub[Symbol.asyncDispose]();
  assert.deepEqual(await scene.fetch({ revision: first.commit }), first);
});

Deno.test("fetchHubFiles() fetches one file once for two that want it at a time", async () => {
  await using scene = await Scene.set();
  const [one, other] = await Promise.all([scene.fetch(), scene.fetch()]);
  assert.deepEqual(one, other);
  assert.deepEqual(scene.contents.sort(), [CONFIG, WEIGHTS]);
});

Deno.test("fetchHubFiles() fetches only what changed when a branch moves on", async () => {
  await using scene = await Scene.set();
  const first = await scene.fetch();
  scene.hub.push({ ...MODEL, files: { ...MODEL.files, [CONFIG]: "{}" } });
  scene.hub.reset();
  const second = await scene.fetch();
  assert.notEqual(second.commit, first.commit);
  assert.deepEqual(scene.contents, [CONFIG]);
  assert.equal(await Deno.readTextFile(second.files.get(CONFIG)?.localPath ?? ""), "{}");
});

Deno.test("fetchHubFiles() knows tags and pull requests by their names", async () => {
  await using scene = await Scene.set({ ...MODEL, revisions: ["main", "v1.0", "refs/pr/1"] });
  for (const revision of ["v1.0", "refs/pr/1"]) {
    assert.equal((await scene.fetch({ revision })).commit, scene.hub.commitOf(NAME));
  }
});

Deno.test("fetchHubFiles() reads a listing of several pages", async () => {
  await using scene = await Scene.set(MODEL, { pageSize: 2 });
  const listed: string[] = [];
  await scene.fetch({
    files: (listing) => {
      listed.push(...listing.map(({ path }) => path));
      return [CONFIG];
    },
  });
  assert.deepEqual(listed.sort(), Object.keys(MODEL.files).sort());
});

Deno.test("fetchHubFiles() reads the licence from the card, its name or the tags", async () => {
  const cases: [Partial<LocalModel>, string | undefined][] = [
    [{ card: { license: "apache-2.0" }, tags: ["license:mit"] }, "apache-2.0"],
    [{ card: { license: "other", license_name: "acme-ascl" } }, "acme-ascl"],
    [{ card: { license: ["mit", "cc-by-4.0"] } }, "mit, cc-by-4.0"],
    [{ card: {}, tags: ["clip", "license:bsd-3-clause"] }, "bsd-3-clause"],
    [{ card: {} }, undefined],
  ];
  for (const [model, license] of cases) {
    await using scene = await Scene.set({ ...MODEL, ...model });
    assert.equal((await scene.fetch({ files: () => [] })).license, license);
  }
});

Deno.test("fetchHubFiles() reports bytes as they come", async () => {
  await using scene = await Scene.set();
  const seen: number[] = [];
  await scene.fetch({
    files: () => [WEIGHTS],
    onProgress: ({ path, done, total }) => {
      assert.equal(path, WEIGHTS);
      assert.equal(total, BYTES.length);
      seen.push(done);
    },
  });
  assert.equal(seen[0], 0);
  assert.equal(seen.at(-1), BYTES.length);
  assert.deepEqual(seen, [...seen].sort((a, b) => a - b));
});

Deno.test("fetchHubFiles() shows the token to the hub and not to its storage", async () => {
  await using scene = await Scene.set({ ...MODEL, token: "secret" });
  await scene.fetch({ token: "secret\n" });
  for (const { server, authorization } of scene.hub.requests) {
    assert.equal(authorization, server === "hub" ? "Bearer secret" : undefined);
  }
  assert.equal(scene.ranges.length, 1);
});

Deno.test("fetchHubFiles() shows the token to no other server that a listing goes on at", async () => {
  await using scene = await Scene.set();
  const link = `<${scene.hub.storage}/more>; rel="next"`;
  scene.hub.misbehave("/tree/", { status: 200, headers: { link }, body: "[]" });
  await scene.fail({ token: "secret" });
  assert.deepEqual(scene.hub.requests.map(({ server, authorization }) => [server, authorization]), [
    ["hub", "Bearer secret"],
    ["hub", "Bearer secret"],
    ["storage", undefined],
  ]);
});

// ---------------------------------------------------------------------------------------------------
// What is cut off goes on

Deno.test("fetchHubFiles() goes on where the connection was cut", async () => {
  await using scene = await Scene.set();
  // More often than it would try if nothing came: what comes counts.
  const cuts = [10_000, 70_000, 70_001, 100_000, 150_000, 199_999];
  for (const cutAt of cuts) scene.hub.misbehave("/storage/", { cutAt }, 1);
  const { files } = await scene.fetch();
  assert.deepEqual(await Deno.readFile(files.get(WEIGHTS)?.localPath ?? ""), BYTES);
  assert.deepEqual(scene.ranges, [undefined, ...cuts.map((at) => `bytes=${at}-199999`)]);
});

Deno.test("fetchHubFiles() goes on where the connection fell silent", async () => {
  await using scene = await Scene.set();
  scene.hub.misbehave("/storage/", { silentAt: 70_000 }, 1);
  await scene.fetch();
  assert.deepEqual(scene.ranges, [undefined, "bytes=70000-199999"]);
});

Deno.test("fetchHubFiles() starts again on a hub that knows no ranges", async () => {
  await using scene = await Scene.set();
  scene.hub.misbehave("/storage/", { cutAt: 70_000 }, 1);
  scene.hub.misbehave("/storage/", { ignoresRange: true });
  const { files } = await scene.fetch();
  assert.deepEqual(await Deno.readFile(files.get(WEIGHTS)?.localPath ?? ""), BYTES);
});

Deno.test("fetchHubFiles() takes no more than a file has", async () => {
  await using scene = await Scene.set();
  scene.hub.misbehave("/storage/", { surplus: 100_000 });
  const { files } = await scene.fetch();
  assert.deepEqual(await Deno.readFile(files.get(WEIGHTS)?.localPath ?? ""), BYTES);
});

Deno.test("fetchHubFiles() gives up on a connection that is cut at each attempt, and goes on in the next run", async () => {
  await using scene = await Scene.set();
  scene.hub.misbehave("/storage/", { cutAt: 70_000 });
  const sentence = await scene.fail();
  assert.match(sentence, /^Cannot fetch onnx\/vision_model\.onnx of acme\/clip-tiny from http/);
  assert.match(sentence, /run it again: what has come is kept/);
  // The first attempt brought something, so that three more came after it as after none.
  assert.equal(scene.ranges.length, 1 + PATIENCE.waits.length);
  assert.ok(!await exists(scene.weightsBlob));

  scene.hub.reset();
  await scene.fetch();
  assert.deepEqual(scene.contents, [WEIGHTS]);
  assert.deepEqual(scene.ranges, ["bytes=70000-199999"]);
});

Deno.test("fetchHubFiles() fetches nothing twice after it was killed", async () => {
  await using scene = await Scene.set();
  scene.hub.misbehave("/storage/", { silentAt: 70_000 });
  const program = `
    import { fetchHubFiles } from ${
    JSON.stringify(import.meta.resolve("../../../trainer/hub/hub.ts"))
  };
    const [endpoint, cacheDir] = Deno.args;
    const files = () => ${JSON.stringify([CONFIG, WEIGHTS])};
    await fetchHubFiles({ model: "${NAME}", files, endpoint, cacheDir });
  `;
  const child = new Deno.Command(Deno.execPath(), {
    args: ["eval", program, scene.hub.endpoint, scene.cacheDir],
    cwd: new URL("../../../", import.meta.url),
    stdout: "null",
    stderr: "null",
  }).spawn();
  const partial = `${scene.weightsBlob}.incomplete`;
  const size = () => Deno.stat(partial).then(({ size }) => size, () => 0);
  for (let i = 0; i < 1000 && await size() < 70_000; i++) {
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  child.kill("SIGKILL");
  await child.status;
  assert.equal(await size(), 70_000);
  assert.ok(!await exists(scene.weightsBlob));

  scene.hub.reset();
  const { files } = await scene.fetch();
  assert.deepEqual(scene.contents, [WEIGHTS]);
  assert.deepEqual(scene.ranges, ["bytes=70000-199999"]);
  assert.deepEqual(await Deno.readFile(files.get(WEIGHTS)?.localPath ?? ""), BYTES);
});

Deno.test("fetchHubFiles() starts again when what an earlier run left is not the file's beginning", async () => {
  for (const length of [1000, BYTES.length, BYTES.length + 1]) {
    await using scene = await Scene.set();
    await Deno.mkdir(`${scene.folder}/blobs`, { recursive: true });
    await Deno.writeFile(`${scene.weightsBlob}.incomplete`, new Uint8Array(length));
    const { files } = await scene.fetch();
    assert.deepEqual(await Deno.readFile(files.get(WEIGHTS)?.localPath ?? ""), BYTES);
  }
});

Deno.test("fetchHubFiles() ends by its signal, and goes on in the next run", async () => {
  await using scene = await Scene.set();
  scene.hub.misbehave("/storage/", { silentAt: 70_000 }, 1);
  const stop = new AbortController();
  const reason = new Error("enough");
  const fetched = scene.fetch({
    signal: stop.signal,
    patience: { silence: 60_000 },
    onProgress: ({ done }) => done === 70_000 && stop.abort(reason),
  });
  await assert.rejects(fetched, (error) => error === reason);
  scene.hub.reset();
  await scene.fetch();
  assert.deepEqual(scene.ranges, ["bytes=70000-199999"]);
  await assert.rejects(scene.fetch({ signal: stop.signal }), (error) => error === reason);
});

// ---------------------------------------------------------------------------------------------------
// What is wrong is not used

Deno.test("fetchHubFiles() refuses a file whose hash is wrong, and removes it", async () => {
  await using scene = await Scene.set();
  scene.hub.misbehave("/storage/", { flipAt: 123_456 }, 1);
  const sentence = await scene.fail();
  assert.match(sentence, /^Cannot use onnx\/vision_model\.onnx of acme\/clip-tiny: .* the hash /);
  assert.match(
    sentence,
    new RegExp(`the hub states ${SHA256}\\. It has been removed; run it again`),
  );
  assert.ok(!await exists(scene.weightsBlob));
  assert.ok(!await exists(`${scene.weightsBlob}.incomplete`));
  assert.equal((await scene.fetch()).files.size, 2);
});

Deno.test("fetchHubFiles() checks small files by Git's hash", async () => {
  await using scene = await Scene.set();
  scene.hub.misbehave(`/${CONFIG}`, { flipAt: 0 });
  assert.match(await scene.fail(), /^Cannot use config\.json of acme\/clip-tiny: /);
});

Deno.test("fetchHubFiles() fetches again what is damaged in the cache", async () => {
  await using scene = await Scene.set();
  const { files } = await scene.fetch();
  const flipped = BYTES.slice();
  flipped[99_999] ^= 1;
  for (const damage of [flipped, BYTES.subarray(0, 1000)]) {
    await Deno.writeFile(scene.weightsBlob, damage);
    scene.hub.reset();
    await scene.fetch();
    assert.deepEqual(scene.contents, [WEIGHTS]);
    assert.deepEqual(await Deno.readFile(files.get(WEIGHTS)?.localPath ?? ""), BYTES);
  }
});

Deno.test("fetchHubFiles() asks again when what it noted of a commit cannot be read", async () => {
  await using scene = await Scene.set();
  const { commit } = await scene.fetch();
  for (const text of ["{", "[]", "null", `{"commit":"${commit}","listing":[{"path":"../x"}]}`]) {
    await Deno.writeTextFile(`${scene.folder}/listings/${commit}.json`, text);
    assert.equal((await scene.fetch({ revision: commit })).files.size, 2, text);
  }
});

Deno.test("fetchHubFiles() writes nothing outside the cache, whatever the hub says", async () => {
  for (const path of ["../evil", "a/../../evil", "/evil", "a\\..\\evil", "C:evil", "a//b"]) {
    await using scene = await Scene.set({ ...MODEL, files: { [path]: "evil" } });
    const sentence = await scene.fail({ files: () => [path] });
    assert.ok(sentence.includes(`lists ${JSON.stringify(path)}, which is no plain file`), sentence);
    assert.deepEqual(scene.contents, []);
  }
});

// ---------------------------------------------------------------------------------------------------
// What cannot be had is said

Deno.test("fetchHubFiles() names a file that the revision lacks, and those that it has", async () => {
  await using scene = await Scene.set();
  const sentence = await scene.fail({ files: () => ["onnx/none.onnx"] });
  assert.match(
    sentence,
    /^Cannot fetch onnx\/none\.onnx of acme\/clip-tiny: there is no such file/,
  );
  assert.match(sentence, /It has: README\.md, config\.json, onnx\/text_model\.onnx/);
});

Deno.test("fetchHubFiles() passes on what the choice of files complains of", async () => {
  await using scene = await Scene.set();
  const choice = () => {
    throw new TrainerError("Cannot build: there is no image tower");
  };
  assert.equal(await scene.fail({ files: choice }), "Cannot build: there is no image tower");
});

Deno.test("fetchHubFiles() says that there is no such model", async () => {
  await using scene = await Scene.set();
  assert.equal(
    await scene.fail({ model: "acme/none" }),
    `Cannot fetch the model acme/none from ${scene.hub.endpoint}: there is no such model, or no ` +
      "revision main of it (404, Repository not found). Check the name, and whether " +
      `${scene.hub.endpoint}/acme/none exists`,
  );
});

Deno.test("fetchHubFiles() says that there is no such revision", async () => {
  await using scene = await Scene.set();
  assert.match(
    await scene.fail({ revision: "v9" }),
    /acme\/clip-tiny has no revision v9 \(404, .*\)\. Name a branch, a tag or a whole commit hash/,
  );
});

Deno.test("fetchHubFiles() says that a listed file is not there", async () => {
  await using scene = await Scene.set();
  scene.hub.misbehave("/resolve/", { status: 404, headers: { "x-error-code": "EntryNotFound" } });
  assert.match(
    await scene.fail(),
    /^Cannot fetch config\.json of acme\/clip-tiny from .*in the listing, but not there \(404/,
  );
});

Deno.test("fetchHubFiles() tells who has no token to set one, and who has to check it", async () => {
  await using scene = await Scene.set({ ...MODEL, token: "secret" });
  const page = `${scene.hub.endpoint}/${NAME}`;
  const without = await scene.fail();
  assert.match(without, /it wants a token \(401, Access to this model is restricted\)/);
  assert.ok(without.endsWith(`licence on ${page} and set HF_TOKEN to a token of that account`));
  const wrong = await scene.fail({ token: "wrong" });
  assert.match(wrong, /it does not accept the token \(401, .*HF_TOKEN is still valid/);
  assert.ok(!wrong.includes("wrong"), "it prints the token");
  // Another attempt would not have helped.
  assert.equal(scene.hub.requests.length, 2);
});

Deno.test("fetchHubFiles() tells who may not read the model to accept its licence", async () => {
  await using scene = await Scene.set();
  scene.hub.misbehave("/resolve/", { status: 403, body: '{"error":"You are not in the list"}' });
  const sentence = await scene.fail();
  assert.match(
    sentence,
    /it forbids that \(403, You are not in the list\)\. Accept the model's li/,
  );
  assert.match(sentence, /set HF_TOKEN/);
});

Deno.test("fetchHubFiles() does not blame the token when the storage refuses", async () => {
  await using scene = await Scene.set();
  scene.hub.misbehave("/storage/", { status: 403 });
  const sentence = await scene.fail();
  assert.match(sentence, /its storage http:\/\/127\.0\.0\.1:\d+ refuses \(403/);
  assert.ok(!sentence.includes("HF_TOKEN"));
});

Deno.test("fetchHubFiles() waits as long as a busy hub asks, then tries again", async () => {
  await using scene = await Scene.set();
  scene.hub.misbehave("/api/", { status: 429, headers: { "retry-after": "1" } }, 1);
  const start = performance.now();
  await scene.fetch();
  assert.ok(performance.now() - start >= 990, "it did not wait");
});

Deno.test("fetchHubFiles() gives up on a hub that stays busy, and says for how long", async () => {
  await using scene = await Scene.set();
  scene.hub.misbehave("/resolve/", { status: 429, headers: { "retry-after": "0" } });
  assert.match(
    await scene.fail(),
    /it was asked too often \(429, .*\)\. Wait a while and run it again: .*HF_TOKEN/,
  );
  assert.equal(scene.contents.length, 1 + PATIENCE.waits.length);
});

Deno.test("fetchHubFiles() does not wait for an hour", async () => {
  for (
    const headers of [
      { "retry-after": "3600" },
      { "retry-after": new Date(Date.now() + 3_600_000).toUTCString() },
      { ratelimit: '"resolvers";r=0;t=3600' },
    ]
  ) {
    await using scene = await Scene.set();
    scene.hub.misbehave("/resolve/", { status: 429, headers });
    assert.match(await scene.fail(), /Wait 3[56]\d\d seconds/);
    assert.equal(scene.contents.length, 1);
  }
});

Deno.test("fetchHubFiles() tries again when the hub fails, a few times", async () => {
  await using scene = await Scene.set();
  scene.hub.misbehave("/api/", { status: 500 }, 2);
  scene.hub.misbehave("/resolve/", { status: 503 }, 2);
  scene.hub.misbehave("/storage/", { status: 502 }, 2);
  assert.equal((await scene.fetch()).files.size, 2);

  await using other = await Scene.set();
  other.hub.misbehave("/storage/", { status: 502 });
  assert.match(await other.fail(), /it fails \(502, .*\)\. Try again later: what has come is kept/);
  assert.equal(other.ranges.length, 1 + PATIENCE.waits.length);
});

Deno.test("fetchHubFiles() says that the hub cannot be reached, and what is in the cache", async () => {
  await using scene = await Scene.set();
  const { commit } = await scene.fetch();
  await scene.hub[Symbol.asyncDispose]();
  const sentence = await scene.fail();
  assert.match(sentence, /it cannot be reached: .*Check the network, or set HF_ENDPOINT to a hub/);
  assert.ok(sentence.endsWith(`or name the revision ${commit}, which is in the cache`));
  assert.doesNotMatch(await scene.fail({ revision: "v1" }), /which is in the cache/);
  assert.match(await scene.fail({ revision: commit, files: () => ["README.md"] }), /HF_ENDPOINT/);
});

Deno.test("fetchHubFiles() says that something else than a hub answers", async () => {
  for (const body of ["<html>Please log in</html>", "{}"]) {
    await using scene = await Scene.set();
    scene.hub.misbehave("/api/", { status: 200, body });
    assert.match(await scene.fail(), /Set HF_ENDPOINT to the address of/);
  }
});

Deno.test("fetchHubFiles() refuses names and addresses that cannot be, before it asks", async () => {
  await using scene = await Scene.set();
  for (const model of ["clip", "a/b/c", "../b", "a/..", "a/b?c", ""]) {
    assert.match(await scene.fail({ model }), /Write it as organisation\/name/, model);
  }
  for (const revision of ["", "../../x", "a/../b", "/a", "a b"]) {
    assert.match(await scene.fail({ revision }), /Name a branch, a tag or a whole/, revision);
  }
  for (const endpoint of ["hub.invalid", "ftp://hub.invalid", ""]) {
    assert.match(await scene.fail({ endpoint }), /it is no http or https address/, endpoint);
  }
  assert.match(await scene.fail({ token: "one two" }), /Set HF_TOKEN to the token alone/);
  assert.deepEqual(scene.hub.requests, []);
});

Deno.test("fetchHubFiles() goes by the hub's environment variables", async () => {
  await using scene = await Scene.set({ ...MODEL, token: "secret" });
  const home = await Deno.makeTempDir();
  // A developer's own settings stay out of it.
  const others = Object.fromEntries(
    Object.entries(Deno.env.toObject()).filter(([name]) => !/^(HF|HUGGINGFACE)_/.test(name)),
  );
  const program = `
    import { fetchHubFiles } from ${
    JSON.stringify(import.meta.resolve("../../../trainer/hub/hub.ts"))
  };
    const { files } = await fetchHubFiles({ model: "${NAME}", files: () => ["${CONFIG}"] });
    console.log(files.get("${CONFIG}").localPath);
  `;
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["eval", program],
    cwd: new URL("../../../", import.meta.url),
    clearEnv: true,
    env: {
      ...others,
      HF_ENDPOINT: `${scene.hub.endpoint}/`,
      HF_HOME: home,
      HF_TOKEN: "secret",
    },
    stderr: "inherit",
  }).output();
  const path = new TextDecoder().decode(stdout).trim();
  assert.ok(path.startsWith(`${home}/hub/models--acme--clip-tiny/snapshots/`), path);
  await Deno.remove(home, { recursive: true });
});

Deno.test({
  name: "fetchHubFiles() says that the disk is full, and leaves no file that looks whole",
  ignore: Deno.build.os !== "linux",
  fn: async () => {
    await using scene = await Scene.set();
    await Deno.mkdir(`${scene.folder}/blobs`, { recursive: true });
    // A device that is always full stands in for the file's disk.
    await Deno.symlink("/dev/full", `${scene.weightsBlob}.incomplete`);
    const sentence = await scene.fail();
    assert.match(sentence, /^Cannot keep the files of acme\/clip-tiny in .*: the disk is full\./);
    assert.match(sentence, /Make room there, or set HF_HOME to a folder elsewhere/);
    assert.ok(!await exists(scene.weightsBlob));
  },
});

Deno.test("fetchHubFiles() says that the cache is no folder", async () => {
  await using scene = await Scene.set();
  await Deno.writeTextFile(`${scene.cacheDir}/file`, "");
  const sentence = await scene.fail({ cacheDir: `${scene.cacheDir}/file` });
  assert.match(sentence, /^Cannot keep the files of acme\/clip-tiny in .*set HF_HOME to a folder/);
});
