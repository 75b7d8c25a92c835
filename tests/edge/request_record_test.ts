import assert from "node:assert/strict";
import type { AppOptions } from "../../edge/app/app.ts";
import { formatRecord } from "../../edge/app/request_log.ts";
import type { RequestRecord } from "../../edge/app/request_record.ts";
import { makeApp, request, upload } from "./fake_app.ts";

/** What an app tells of a request. */
async function recordOf(asked: Request, options: AppOptions = {}): Promise<RequestRecord> {
  const records: RequestRecord[] = [];
  const app = makeApp({ ...options, onRequest: (record) => records.push(record) });
  const response = await app.fetch(asked);
  await response.body?.cancel();
  const [record, ...others] = records;
  assert.deepEqual(others, []);
  assert.equal(record.status, response.status);
  return record;
}

/** A record without its time, which no test can foresee. */
function untimed({ milliseconds, ...record }: RequestRecord): RequestRecord {
  assert.ok(milliseconds === undefined || milliseconds > 0);
  return record;
}

const score = JSON.stringify({ embeddingSpace: "test", embedding: [0.5, 0.25] });

const CASES: readonly (readonly [string, RequestInit, Omit<RequestRecord, "method">])[] = [
  ["/v1/classify", upload(7), { path: "/v1/classify", status: 200, pictures: 1 }],
  ["/v1/classify?top=1", upload(7, 8, 1), { path: "/v1/classify", status: 200, pictures: 3 }],
  ["/v1/embed", upload(7), { path: "/v1/embed", status: 200, pictures: 1 }],
  ["/v1/score", { method: "POST", body: score }, {
    path: "/v1/score",
    status: 200,
    pictures: 0,
  }],
  ["/v1/classify", upload(1), {
    path: "/v1/classify",
    status: 422,
    pictures: 1,
    code: "truncated",
  }],
  ["/v1/classify", upload(0), { path: "/v1/classify", status: 500, pictures: 1, code: "internal" }],
  ["/v1/classify?top=0", upload(7), {
    path: "/v1/classify",
    status: 422,
    pictures: 0,
    code: "invalid-parameter",
  }],
  ["/v1/classify", { method: "POST" }, {
    path: "/v1/classify",
    status: 400,
    pictures: 0,
    code: "no-picture",
  }],
  ["/v1/classify", {}, {
    path: "/v1/classify",
    status: 405,
    pictures: 0,
    code: "method-not-allowed",
  }],
  ["/secret/path", {}, { path: "*", status: 404, pictures: 0, code: "not-found" }],
  ["/v1/*", {}, { path: "*", status: 404, pictures: 0, code: "not-found" }],
  ["/healthz", { method: "HEAD" }, { path: "/healthz", status: 200, pictures: 0 }],
];

for (const [path, init, expected] of CASES) {
  const { method = "GET" } = init;
  const what = `${method} ${path}, ${expected.pictures} read, ${expected.code ?? "well"}`;
  Deno.test(`createApp() records ${what}`, async () => {
    const record = await recordOf(request(path, init));
    assert.deepEqual(untimed(record), { method, ...expected });
  });
}

Deno.test("createApp() records whom it turns away at the door, and preflights", async () => {
  const asked = (headers: HeadersInit = {}) => request("/v1/classify", { ...upload(7), headers });
  const path = "/v1/classify";
  assert.deepEqual(
    untimed(await recordOf(asked({ Authorization: "Bearer secret" }), { tokens: ["token"] })),
    { method: "POST", path, status: 401, pictures: 0, code: "unauthorized" },
  );
  assert.deepEqual(
    untimed(await recordOf(asked(), { rateLimit: () => Promise.resolve(false) })),
    { method: "POST", path, status: 429, pictures: 0, code: "rate-limited" },
  );
  const preflight = request("/v1/classify", {
    method: "OPTIONS",
    headers: { Origin: "https://example.com", "Access-Control-Request-Method": "POST" },
  });
  assert.deepEqual(untimed(await recordOf(preflight, { corsOrigin: "*" })), {
    method: "OPTIONS",
    path,
    status: 204,
    pictures: 0,
  });
});

Deno.test("createApp() records how long an answer took", async () => {
  const records: RequestRecord[] = [];
  const app = makeApp({ onRequest: (record) => records.push(record) }, {
    embed: async () => {
      await new Promise((resolve) => setTimeout(resolve, 30));
      throw new TypeError("It cannot");
    },
  });
  const response = await app.fetch(request("/v1/embed", upload(7)));
  await response.body?.cancel();
  const { milliseconds = 0 } = records[0];
  assert.ok(milliseconds >= 29 && milliseconds < 10_000, `${milliseconds} ms`);
});

Deno.test("createApp() answers although the record's hearer throws, and the log hears of it", async () => {
  const heard: unknown[] = [];
  const app = makeApp({
    onRequest: () => {
      throw new Error("the disk is full");
    },
    onError: (error) => heard.push(error),
  });
  const response = await app.fetch(request("/v1/classify", upload(7)));
  assert.equal(response.status, 200);
  await response.body?.cancel();
  assert.match(String(heard), /the disk is full/);
});

const TIME = new Date("2026-11-23T14:05:06.789Z");

const LINES = [
  [
    { method: "POST", path: "/v1/classify", status: 200, milliseconds: 12.345, pictures: 1 },
    "2026-11-23T14:05:06.789Z POST /v1/classify 200 1 picture 12.3 ms",
  ],
  [
    { method: "POST", path: "/v1/embed", status: 200, milliseconds: 100, pictures: 16 },
    "2026-11-23T14:05:06.789Z POST /v1/embed 200 16 pictures 100 ms",
  ],
  [
    { method: "GET", path: "*", status: 404, pictures: 0, code: "not-found" },
    "2026-11-23T14:05:06.789Z GET * 404 not-found",
  ],
] as const;

for (const [record, line] of LINES) {
  Deno.test(`formatRecord() writes ${line.slice(25)}`, () => {
    assert.equal(formatRecord(record, "text", TIME), line);
    const json = formatRecord(record, "json", TIME);
    assert.ok(!json.includes("\n"));
    assert.deepEqual(JSON.parse(json), {
      time: "2026-11-23T14:05:06.789Z",
      ...record,
      ...("milliseconds" in record && {
        milliseconds: Math.round(record.milliseconds * 10) / 10,
      }),
    });
  });
}
