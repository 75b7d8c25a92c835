import { Hono } from "hono";
import assert from "node:assert/strict";
import { assertProblem, assertProblemObject } from "../e2e/assert_problem.ts";
import { classify, makeApp, MODEL, request, upload } from "./fake_app.ts";

Deno.test("createApp() tells callers nothing of an error that nobody foresaw, and the log all", async () => {
  const heard: unknown[] = [];
  const app = makeApp({ onError: (error) => heard.push(error) });
  const response = await app.fetch(request("/v1/classify", upload(0)));
  const detail = await assertProblem(response, 500, "internal");
  assert.doesNotMatch(detail, /secret|passwd/);
  assert.equal(heard.length, 1);
  assert.match(String(heard[0]), /secret/);
});

Deno.test("createApp() does not log what callers did wrong", async () => {
  const heard: unknown[] = [];
  const app = makeApp({ onError: (error) => heard.push(error) });
  await assertProblem(await app.fetch(request("/v1/classify", upload(1))), 422, "truncated");
  await assertProblem(await app.fetch(request("/nowhere")), 404, "not-found");
  await assertProblem(
    await app.fetch(request("/v1/classify?top=0", upload(5))),
    422,
    "invalid-parameter",
  );
  assert.deepEqual(heard, []);
});

Deno.test("createApp() answers each part of a multipart request for itself, failures too", async () => {
  const heard: unknown[] = [];
  const app = makeApp({ onError: (error) => heard.push(error) });
  const response = await app.fetch(request("/v1/classify", upload(7, 0, 1, 9)));
  assert.equal(response.status, 200);
  const { model, results } = await response.json();
  assert.deepEqual(model, { name: "test", bundle: "sha256:0" });
  const [seven, failed, bad, nine, ...others] = results;
  assert.deepEqual(seven, { image: { width: 7, height: 1 }, predictions: [] });
  assertProblemObject(failed.error, 500, "internal");
  assertProblemObject(bad.error, 422, "truncated");
  assert.deepEqual(nine, { image: { width: 9, height: 1 }, predictions: [] });
  assert.deepEqual(others, []);
  assert.equal(heard.length, 1);
});

Deno.test("createApp() adds up the times of several pictures in Server-Timing", async () => {
  const response = await makeApp().fetch(request("/v1/classify", upload(7, 1, 9)));
  assert.equal(response.headers.get("Server-Timing"), "encode;dur=16.0");
  await response.body?.cancel();
});

Deno.test("createApp() leaves Server-Timing out where the clock stands still", async () => {
  const response = await makeApp().fetch(request("/v1/embed", upload(7)));
  assert.equal(response.headers.get("Server-Timing"), null);
  assert.deepEqual(await response.json(), {
    model: { name: "test", bundle: "sha256:0" },
    embeddingSpace: { id: "test", size: 2 },
    image: { width: 7, height: 1 },
    embedding: [0.5, 0.25],
  });
});

Deno.test("createApp() passes the query on as it is meant", async () => {
  const asked: unknown[] = [];
  const app = makeApp({}, {
    classify: (picture, options) => {
      asked.push(options);
      return classify(picture);
    },
  });
  for (const query of ["", "?taxonomy=polarity&method=zero-shot&top=2"]) {
    const response = await app.fetch(request(`/v1/classify${query}`, upload(7)));
    await response.body?.cancel();
    assert.equal(response.status, 200);
  }
  assert.deepEqual(asked, [
    {},
    { taxonomies: ["polarity"], method: "zero-shot", top: 2 },
  ]);
});

Deno.test("createApp() turns away pictures that have no room, and lets them in again later", async () => {
  const { promise: wait, resolve: go } = Promise.withResolvers<void>();
  const app = makeApp({ maxQueue: 1 }, {
    concurrency: 1,
    classify: (picture) => wait.then(() => classify(picture)),
  });
  const inside = [7, 8].map((byte) => app.fetch(request("/v1/classify", upload(byte))));
  await new Promise((resolve) => setTimeout(resolve, 20));
  const turnedAway = await app.fetch(request("/v1/classify", upload(9)));
  assert.equal(turnedAway.headers.get("Retry-After"), "1");
  await assertProblem(turnedAway, 503, "queue-full");
  go();
  for (const response of await Promise.all(inside)) {
    assert.equal(response.status, 200);
    await response.body?.cancel();
  }
  const later = await app.fetch(request("/v1/classify", upload(9)));
  assert.equal(later.status, 200);
  await later.body?.cancel();
});

Deno.test("createApp() takes limits of uploads", async () => {
  const app = makeApp({ maxBytes: 400, maxPictures: 2, uploadTimeout: 20 });
  await assertProblem(
    await app.fetch(request("/v1/classify", { method: "POST", body: new Uint8Array(401) })),
    413,
    "too-many-bytes",
  );
  await assertProblem(
    await makeApp({ maxPictures: 2 }).fetch(request("/v1/classify", upload(7, 8, 9))),
    400,
    "too-many-pictures",
  );
  const stuck = new ReadableStream({ start: (c) => c.enqueue(Uint8Array.of(7)) });
  await assertProblem(
    await app.fetch(request("/v1/classify", { method: "POST", body: stuck })),
    408,
    "upload-timeout",
  );
});

Deno.test("createApp() lets pages of other origins call only when it is told to", async () => {
  const Origin = "https://example.com";
  const preflight = {
    method: "OPTIONS",
    headers: { Origin, "Access-Control-Request-Method": "POST" },
  };
  const closed = makeApp();
  await assertProblem(
    await closed.fetch(request("/v1/classify", preflight)),
    405,
    "method-not-allowed",
  );
  for (const corsOrigin of ["*", Origin]) {
    const open = makeApp({ corsOrigin });
    const allowed = await open.fetch(request("/v1/classify", preflight));
    assert.ok(allowed.ok);
    assert.equal(allowed.headers.get("Access-Control-Allow-Origin"), corsOrigin);
    assert.match(allowed.headers.get("Access-Control-Allow-Methods") ?? "", /\bPOST\b/);
    // Errors too, or the page could not read why.
    for (const byte of [7, 1]) {
      const init = { ...upload(byte), headers: { Origin } };
      const response = await open.fetch(request("/v1/classify", init));
      await response.body?.cancel();
      assert.equal(response.headers.get("Access-Control-Allow-Origin"), corsOrigin);
      assert.match(response.headers.get("Access-Control-Expose-Headers") ?? "", /Server-Timing/);
    }
  }
});

Deno.test("createApp() serves pages from its source, and none without one", async () => {
  for (const path of ["/", "/docs", "/page/page.css"]) {
    await assertProblem(await makeApp().fetch(request(path)), 404, "not-found");
  }
  const names: string[] = [];
  const app = makeApp({
    page: {
      read: (name) => {
        names.push(name);
        const bytes = new TextEncoder().encode(name);
        return Promise.resolve(name === "page.css" ? undefined : bytes);
      },
    },
  });
  const page = await app.fetch(request("/"));
  assert.equal(await page.text(), "index.html");
  assert.equal(page.headers.get("Content-Type"), "text/html; charset=utf-8");
  await assertProblem(await app.fetch(request("/page/page.css")), 404, "not-found");
  await assertProblem(await app.fetch(request("/docs/..%2fmanifest")), 404, "not-found");
  assert.deepEqual(names, ["index.html", "page.css"]);
});

Deno.test("createApp() can be mounted below a path of another app", async () => {
  const outer = new Hono();
  outer.get("/", (c) => c.text("outer"));
  outer.mount("/mood", makeApp().fetch);
  const answer = await outer.fetch(request("/mood/v1/classify", upload(7)));
  assert.equal(answer.status, 200);
  assert.deepEqual((await answer.json()).image, { width: 7, height: 1 });
  assert.equal(await (await outer.fetch(request("/mood/healthz"))).text(), "ok");
  assert.equal(await (await outer.fetch(request("/"))).text(), "outer");
  const { servers } = await (await outer.fetch(request("/mood/openapi.json"))).json();
  assert.deepEqual(servers, [{ url: "." }], "its addresses are relative");
});

Deno.test("createApp() is degraded when something is damaged, not when something is missing", async () => {
  for (
    const [fault, status] of [["missing", "ready"], ["invalid", "degraded"]] as const
  ) {
    const faults = [{ part: "heads/polarity", fault, detail: "It is so" }];
    const app = makeApp({}, { model: { ...MODEL, faults } });
    const response = await app.fetch(request("/readyz"));
    assert.equal(response.status, 200);
    assert.deepEqual(await response.json(), { status, faults });
  }
});

Deno.test("createApp() scores an embedding of the model's own space", async () => {
  const body = JSON.stringify({ embeddingSpace: "test", embedding: [0.5, 0.25] });
  const response = await makeApp().fetch(request("/v1/score", { method: "POST", body }));
  assert.equal(response.status, 200);
  assert.deepEqual(await response.json(), {
    model: { name: "test", bundle: "sha256:0" },
    predictions: [{
      taxonomy: "polarity",
      method: "zero-shot",
      normalization: "softmax",
      scores: [{ label: "positive", score: 0.5 }],
    }],
  });
});

const REFUSED_SCORES = [
  ["", "malformed-json", 400],
  ["not JSON", "malformed-json", 400],
  ["[0.5, 0.25]", "malformed-json", 400],
  [`{"embedding":[0.5,0.25]}`, "malformed-json", 400],
  [`{"embeddingSpace":"test","embedding":["0.5"]}`, "malformed-json", 400],
  [`{"embeddingSpace":"other","embedding":[0.5,0.25]}`, "invalid-embedding", 422],
] as const;

for (const [body, code, status] of REFUSED_SCORES) {
  Deno.test(`createApp() refuses to score ${JSON.stringify(body)}`, async () => {
    const response = await makeApp().fetch(request("/v1/score", { method: "POST", body }));
    await assertProblem(response, status, code);
  });
}
