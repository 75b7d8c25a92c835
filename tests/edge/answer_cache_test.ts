import assert from "node:assert/strict";
import type { AnswerCache } from "../../edge/app/answer_cache.ts";
import type { AppOptions } from "../../edge/app/app.ts";
import { createMemoryCache } from "../../edge/app/memory_cache.ts";
import type { Classifier } from "../../edge/classifier.ts";
import { assertProblem } from "../e2e/assert_problem.ts";
import { classify, makeApp, MODEL, request, upload } from "./fake_app.ts";

/** A cache that keeps everything, and lets tests look. */
function makeCache(): AnswerCache & { readonly kept: Map<string, Response> } {
  const kept = new Map<string, Response>();
  return {
    kept,
    ttl: 90,
    match: ({ url }) => Promise.resolve(kept.get(url)?.clone()),
    put: ({ url }, response) => {
      kept.set(url, response);
      return Promise.resolve();
    },
  };
}

/** An app that counts what it computes. */
function makeCounting(options: AppOptions, classifier: Partial<Classifier> = {}) {
  const counted = { classify: 0 };
  const app = makeApp(options, {
    classify: (picture) => {
      counted.classify++;
      return classify(picture);
    },
    ...classifier,
  });
  return { app, counted };
}

Deno.test("createApp() with a cache answers the same question with the same bytes, computed once", async () => {
  const { app, counted } = makeCounting({ answerCache: makeCache() });
  const fresh = await app.fetch(request("/v1/classify", upload(7)));
  const again = await app.fetch(request("/v1/classify", upload(7)));
  assert.equal(counted.classify, 1);
  assert.equal(fresh.headers.get("Server-Timing"), "encode;dur=7.0");
  assert.equal(again.headers.get("Server-Timing"), "cache;desc=hit");
  for (const name of ["Content-Type", "Cache-Control", "Content-Security-Policy"]) {
    assert.equal(again.headers.get(name), fresh.headers.get(name), name);
  }
  const text = await fresh.text();
  assert.equal(await again.text(), text);
  const uncached = await makeApp().fetch(request("/v1/classify", upload(7)));
  assert.equal(await uncached.text(), text, "as it is without a cache");
  assert.equal(uncached.headers.get("Content-Type"), fresh.headers.get("Content-Type"));
});

Deno.test("createApp() keeps the answers of /v1/classify and /v1/embed apart", async () => {
  const answerCache = makeCache();
  const app = makeApp({ answerCache });
  for (let turn = 0; turn < 2; turn++) {
    const classified = await (await app.fetch(request("/v1/classify", upload(7)))).json();
    const embedded = await (await app.fetch(request("/v1/embed", upload(7)))).json();
    assert.deepEqual(classified.predictions, []);
    assert.deepEqual(embedded.embedding, [0.5, 0.25]);
  }
  assert.equal(answerCache.kept.size, 2);
});

Deno.test("createApp() gives the cache keys of one origin and length, and answers that say how long they hold", async () => {
  const answerCache = makeCache();
  const app = makeApp({ answerCache });
  const response = await app.fetch(
    request("/v1/classify?taxonomy=polarity&method=auto", upload(7)),
  );
  const [[url, kept]] = answerCache.kept;
  assert.match(url, /^http:\/\/localhost\/v1\/classify\/[0-9a-f]{64}$/);
  assert.equal(kept.status, 200);
  assert.deepEqual([...kept.headers], [
    ["cache-control", "max-age=90"],
    ["content-type", "application/json"],
  ]);
  assert.equal(await kept.text(), await response.text());
});

const SAME = ["", "?method=auto"];
const OTHERS = [
  "?taxonomy=polarity",
  "?method=zero-shot",
  "?top=1",
  "?top=2",
  "?taxonomy=polarity&top=1",
];

Deno.test("createApp() keeps one answer of each question, however it is written", async () => {
  const answerCache = makeCache();
  const { app, counted } = makeCounting({ answerCache });
  const ask = async (query: string, byte = 7) => {
    const response = await app.fetch(request(`/v1/classify${query}`, upload(byte)));
    assert.equal(response.status, 200, query);
    await response.body?.cancel();
  };
  for (const query of [...SAME, ...OTHERS]) await ask(query);
  assert.equal(counted.classify, 1 + OTHERS.length);
  await ask("?top=1&taxonomy=polarity&taxonomy=polarity");
  assert.equal(counted.classify, 1 + OTHERS.length, "the order of parameters says nothing");
  await ask("", 8);
  assert.equal(counted.classify, 2 + OTHERS.length, "another picture is another question");
});

Deno.test("createApp() does not take another model's answers, nor those of one that had failed in part", async () => {
  const answerCache = makeCache();
  const fault = { part: "heads/polarity", fault: "invalid", detail: "It is so" } as const;
  const models = [
    MODEL,
    { ...MODEL, bundle: "sha256:1" },
    { ...MODEL, encoder: { ...MODEL.encoder, backend: "native" as const } },
    { ...MODEL, faults: [fault] },
  ];
  for (const model of models) {
    const { app, counted } = makeCounting({ answerCache }, { model });
    const response = await app.fetch(request("/v1/classify", upload(7)));
    await response.body?.cancel();
    assert.equal(counted.classify, 1);
  }
  assert.equal(answerCache.kept.size, models.length);
});

Deno.test("createApp() keeps neither errors nor lists", async () => {
  const answerCache = makeCache();
  const { app, counted } = makeCounting({ answerCache });
  for (let turn = 0; turn < 2; turn++) {
    await assertProblem(await app.fetch(request("/v1/classify", upload(1))), 422, "truncated");
    await assertProblem(await app.fetch(request("/v1/classify", upload(0))), 500, "internal");
    const list = await app.fetch(request("/v1/classify", upload(7, 8)));
    assert.equal((await list.json()).results.length, 2);
    const form = new FormData();
    form.append("image", new Blob([Uint8Array.of(7)]), "a");
    const one = await app.fetch(request("/v1/classify", { method: "POST", body: form }));
    assert.equal((await one.json()).results.length, 1);
  }
  assert.equal(counted.classify, 2 * 5);
  const body = JSON.stringify({ embeddingSpace: "test", embedding: [0.5, 0.25] });
  const scored = await app.fetch(request("/v1/score", { method: "POST", body }));
  assert.equal(scored.status, 200);
  await scored.body?.cancel();
  assert.equal(answerCache.kept.size, 0);
});

Deno.test("createApp() checks the query and the token before it looks into the cache", async () => {
  const answerCache = makeCache();
  await (await makeApp({ answerCache }).fetch(request("/v1/classify", upload(7)))).body?.cancel();
  const app = makeApp({ answerCache, tokens: ["token"] });
  await assertProblem(await app.fetch(request("/v1/classify", upload(7))), 401, "unauthorized");
  const headers = { Authorization: "Bearer token" };
  await assertProblem(
    await app.fetch(request("/v1/classify?top=0", { ...upload(7), headers })),
    422,
    "invalid-parameter",
  );
});

Deno.test("createApp() answers from the cache while no other picture has room", async () => {
  const { promise: wait, resolve: go } = Promise.withResolvers<void>();
  const app = makeApp({ answerCache: makeCache(), maxQueue: 0 }, {
    classify: async (picture) => {
      if (picture[0] === 9) await wait;
      return await classify(picture);
    },
  });
  await (await app.fetch(request("/v1/classify", upload(7)))).body?.cancel();
  const computing = app.fetch(request("/v1/classify", upload(9)));
  await new Promise((resolve) => setTimeout(resolve, 20));
  await assertProblem(await app.fetch(request("/v1/classify", upload(8))), 503, "queue-full");
  const known = await app.fetch(request("/v1/classify", upload(7)));
  assert.equal(known.status, 200);
  await known.body?.cancel();
  go();
  await (await computing).body?.cancel();
});

Deno.test("createApp() answers without a cache that fails, and the log hears of it", async () => {
  const broken = () => Promise.reject(new Error("no connection"));
  const heard: unknown[] = [];
  const app = makeApp({
    answerCache: { ttl: 1, match: broken, put: broken },
    onError: (error) => heard.push(error),
  });
  const response = await app.fetch(request("/v1/classify", upload(7)));
  assert.equal(response.status, 200);
  assert.deepEqual((await response.json()).image, { width: 7, height: 1 });
  assert.equal(heard.length, 2, "looking it up, and keeping it");
});

/** A key, as the app makes them. */
function key(name: string): Request {
  return request(`/v1/classify/${name}`);
}

Deno.test("createMemoryCache() forgets answers after their time", async () => {
  let time = 0;
  const cache = createMemoryCache({ ttl: 10, now: () => time });
  assert.equal(cache.ttl, 10);
  await cache.put(key("a"), new Response("A", { headers: { "X-Test": "1" } }));
  for (const at of [0, 5_000, 9_999]) {
    time = at;
    const found = await cache.match(key("a"));
    assert.equal(await found?.text(), "A");
    assert.equal(found?.headers.get("X-Test"), "1");
  }
  time = 10_000;
  assert.equal(await cache.match(key("a")), undefined, "being asked for does not keep it longer");
});

Deno.test("createMemoryCache() forgets what was not asked for longest, when it is full", async () => {
  const maxBytes = 25_000;
  const cache = createMemoryCache({ ttl: 10, maxBytes });
  const put = (name: string, size: number) => cache.put(key(name), new Response(name.repeat(size)));
  const kept = async () => {
    const found: string[] = [];
    for (const name of "abcd") {
      const response = await cache.match(key(name));
      if (response) found.push((await response.text())[0]);
    }
    return found.join("");
  };
  await put("a", 7_000);
  await put("b", 7_000);
  await put("c", 7_000);
  assert.equal(await kept(), "abc");
  await cache.match(key("a"));
  await put("d", 7_000);
  assert.equal(await kept(), "acd");
  await put("c", 14_000);
  assert.equal(await kept(), "cd", "another answer of the same question takes its place");
  await put("a", maxBytes);
  assert.equal(await kept(), "", "nor is there room for one answer that is larger");
  await put("b", 7_000);
  assert.equal(await kept(), "b");
});

Deno.test("createMemoryCache() counts what small answers take too", async () => {
  const cache = createMemoryCache({ ttl: 10, maxBytes: 100_000 });
  for (let i = 0; i < 1000; i++) await cache.put(key(String(i)), new Response("x"));
  assert.equal(await cache.match(key("0")), undefined);
  assert.ok(await cache.match(key("999")));
});
