/**
 * The client on an app in the same process: what it sends is what the app takes, without a network in between.
 */

import assert from "node:assert/strict";
import { createApp } from "../../edge/app/app.ts";
import { createClassifier } from "../../edge/classifier.ts";
import { ApiError, type ClientOptions, createClient } from "../../edge/client/mod.ts";
import { readPicture } from "../golden_file.ts";
import { makeSyntheticBundle } from "../synthetic_bundle.ts";

const { files } = await makeSyntheticBundle();
const classifier = await createClassifier({
  bundle: { read: (path) => Promise.resolve(files.get(path)) },
});
const app = createApp(classifier, { tokens: ["open-sesame"] });
const small = await readPicture("small.jpg");
const URL_OF_APP = "https://app.invalid/";

Deno.test.afterAll(() => classifier.close());

/** A client of the app. */
function connect(options: Partial<ClientOptions> = {}) {
  return createClient({ url: URL_OF_APP, token: "open-sesame", fetch: app.fetch, ...options });
}

/** A client of a server that answers as told, one request after another; the last answer stays. */
function connectTo(...answers: (() => Response | Promise<Response>)[]) {
  const requests: Request[] = [];
  const fetch = (request: Request) => {
    requests.push(request);
    const answer = answers.length > 1 ? answers.shift() : answers[0];
    return answer ? answer() : Response.error();
  };
  return { requests, client: createClient({ url: URL_OF_APP, fetch }) };
}

/** Asserts that a call fails with a code. */
async function assertCode(
  call: Promise<unknown>,
  code: string,
  sentence: RegExp,
): Promise<ApiError> {
  const error = await call.then(() => undefined, (error) => error);
  assert.ok(error instanceof ApiError, String(error));
  assert.equal(error.code, code);
  assert.match(error.message, sentence);
  return error;
}

const busy = (retryAfter?: string) => () =>
  Response.json({
    type: "urn:clip-e:problem:queue-full",
    title: "Too many pictures are waiting",
    status: 503,
    detail: "64 pictures are waiting",
    code: "queue-full",
  }, { status: 503, ...(retryAfter !== undefined && { headers: { "Retry-After": retryAfter } }) });
const ready = () => Response.json({ status: "ready", faults: [] });

Deno.test("createClient() classifies, in bytes of any kind", async () => {
  const { predictions, image } = await classifier.classify(small.slice());
  for (const picture of [small, small.slice().buffer, new Blob([small])]) {
    const answer = await connect().classify(picture);
    assert.deepEqual(answer, {
      model: { name: "synthetic", bundle: classifier.model.bundle },
      image,
      predictions,
    });
  }
});

Deno.test("createClient() sends every option of a question", async () => {
  const client = connect();
  const { predictions } = await client.classify(small, {
    taxonomies: ["primary", "polarity"],
    method: "zero-shot",
    top: 1,
  });
  assert.deepEqual(
    predictions.map(({ taxonomy, method, scores }) => [taxonomy, method, scores.length]),
    [["primary", "zero-shot", 1], ["polarity", "zero-shot", 1]],
  );
  await assertCode(
    client.classify(small, { labels: ["a cat", "a dog & a bird"] }),
    "labels-not-served",
    /no text encoder/,
  );
});

Deno.test("createClient() embeds, and scores what it embedded", async () => {
  const client = connect();
  const embedded = await client.embed(small);
  const { embedding } = await classifier.embed(small.slice());
  assert.deepEqual(embedded.embedding, embedding);
  assert.deepEqual(embedded.embeddingSpace, { id: "synthetic@1", size: 512 });
  const expected = await classifier.classify(small.slice(), { taxonomies: ["mikels"] });
  for (const embeddingSpace of [embedded.embeddingSpace, "synthetic@1"]) {
    const { predictions } = await client.score(
      { embedding: Array.from(embedded.embedding), embeddingSpace },
      { taxonomies: ["mikels"] },
    );
    assert.deepEqual(predictions, expected.predictions);
  }
  await assertCode(
    client.score({ ...embedded, embeddingSpace: "another" }),
    "invalid-embedding",
    /is of "another"/,
  );
});

Deno.test("createClient() asks for several pictures at once, each answered by itself", async () => {
  const client = connect();
  const pictures = [small, await readPicture("bad/truncated.jpg"), new Blob([small])];
  const classified = await client.classifyAll(pictures, { taxonomies: ["polarity"] });
  assert.deepEqual(
    classified.results.map((result) => "error" in result ? result.error.code : result.image),
    [{ width: 97, height: 61 }, "truncated", { width: 97, height: 61 }],
  );
  const embedded = await client.embedAll(pictures);
  const { embedding } = await classifier.embed(small.slice());
  assert.deepEqual(
    embedded.results.map((result) => "error" in result ? result.error.code : result.embedding),
    [embedding, "truncated", embedding],
  );
});

Deno.test("createClient() tells of the model and of the server's health", async () => {
  const client = connect();
  assert.deepEqual(await client.model(), classifier.model);
  assert.deepEqual(await client.health(), { status: "ready", faults: [] });
});

Deno.test("createClient() raises the server's problems with their codes", async () => {
  const error = await assertCode(
    connect().classify(await readPicture("bad/notes.txt")),
    "unsupported-type",
    /^The bytes are not a picture/,
  );
  assert.equal(error.status, 415);
  assert.equal(error.problem?.type, "urn:clip-e:problem:unsupported-type");
  const refused = await assertCode(connect({ token: "wrong" }).model(), "unauthorized", /token/);
  assert.equal(refused.status, 401);
});

Deno.test("createClient() finds the API where it is mounted, and sends the caller's headers", async () => {
  const requests: Request[] = [];
  const fetch = (request: Request) => {
    requests.push(request);
    return ready();
  };
  for (const url of ["https://host.invalid/api", new URL("https://host.invalid/api/?x#y")]) {
    await createClient({ url, fetch, token: "t", headers: { "X-Key": "1" } }).health();
  }
  assert.equal(requests.length, 2);
  for (const { url, headers } of requests) {
    assert.equal(url, "https://host.invalid/api/readyz");
    assert.equal(headers.get("X-Key"), "1");
    assert.equal(headers.get("Authorization"), "Bearer t");
  }
});

Deno.test("createClient() asks again a server that is busy and says when", async () => {
  const { client, requests } = connectTo(busy("0"), busy("0"), ready);
  assert.equal((await client.health()).status, "ready");
  assert.equal(requests.length, 3);
  // The picture is sent again, whole.
  const bodies: number[] = [];
  let isBusy = true;
  const again = connect({
    fetch: async (request) => {
      bodies.push((await request.clone().arrayBuffer()).byteLength);
      if (isBusy) {
        isBusy = false;
        return busy("0")();
      }
      return await app.fetch(request);
    },
  });
  await again.classify(small);
  assert.deepEqual(bodies, [small.length, small.length]);
});

Deno.test("createClient() gives a busy server up after its retries, or where it may not wait", async () => {
  const always = connectTo(busy("0"));
  await assertCode(always.client.health(), "queue-full", /64 pictures are waiting/);
  assert.equal(always.requests.length, 3);
  const silent = connectTo(busy());
  await assertCode(silent.client.health(), "queue-full", /waiting/);
  assert.equal(silent.requests.length, 1);
  const late = connectTo(busy("3600"));
  await assertCode(late.client.health(), "queue-full", /waiting/);
  assert.equal(late.requests.length, 1);
});

Deno.test("createClient() gives up after its timeout, or when its signal aborts", async () => {
  const { client } = connectTo(() => new Promise<Response>(() => {}));
  await assertCode(
    client.health({ timeout: 20 }),
    "timeout",
    /^https:\/\/app\.invalid\/readyz did not answer within 0\.02 seconds$/,
  );
  const controller = new AbortController();
  const reason = new Error("the user left");
  const call = client.health({ signal: controller.signal });
  controller.abort(reason);
  await assert.rejects(call, reason);
  await assert.rejects(client.health({ signal: AbortSignal.abort(reason) }), reason);
  // While it waits for a busy server too.
  const waiting = connectTo(busy("10"));
  const signal = AbortSignal.timeout(20);
  await assert.rejects(waiting.client.health({ signal }), { name: "TimeoutError" });
});

Deno.test("createClient() says when what answers is not this API", async () => {
  const page = () =>
    new Response("<h1>Bad Gateway</h1>", { status: 502, statusText: "Bad Gateway" });
  const error = await assertCode(
    connectTo(page).client.health(),
    "unexpected-answer",
    /^https:\/\/app\.invalid\/readyz answered 502 Bad Gateway, and not as this API does/,
  );
  assert.equal(error.status, 502);
  for (const answer of [new Response("hello"), Response.json({ hello: 1 }), Response.json(null)]) {
    await assertCode(
      connectTo(() => answer).client.health(),
      "unexpected-answer",
      /did not answer as this API does/,
    );
  }
});

Deno.test("createClient() says when the server cannot be reached, without secrets", async () => {
  const fail = () =>
    Promise.reject(new TypeError("cannot send to https://me:word@app.invalid/readyz?key=hidden"));
  await assertCode(
    connectTo(fail).client.health(),
    "unreachable",
    /^Cannot reach https:\/\/app\.invalid\/readyz: cannot send to https:\/\/app\.invalid\/readyz$/,
  );
});

Deno.test("createClient() refuses what is not a web address, before any work", () => {
  for (const url of ["app", "file:///app", "https://me:secret@app.invalid"]) {
    assert.throws(
      () => createClient({ url }),
      (error) =>
        error instanceof TypeError && /^Cannot call ".*": give an http/.test(error.message) &&
        !error.message.includes("secret"),
    );
  }
});
