import assert from "node:assert/strict";
import { parseTokens } from "../../edge/app/require_token.ts";
import { assertProblem } from "../e2e/assert_problem.ts";
import { makeApp, request, upload } from "./fake_app.ts";

const TOKENS = ["first.token", "second-token=="];
const Origin = "https://example.com";

/** A request of one picture with an `Authorization` header. */
function authorized(value: string, path = "/v1/classify"): Request {
  return request(path, { ...upload(7), headers: { Authorization: value } });
}

Deno.test("createApp() with tokens answers whoever sends any one of them", async () => {
  const app = makeApp({ tokens: TOKENS });
  for (const token of TOKENS) {
    for (const scheme of ["Bearer", "bearer"]) {
      const response = await app.fetch(authorized(`${scheme} ${token}`));
      assert.equal(response.status, 200, token);
      await response.body?.cancel();
    }
  }
});

const REFUSED = [
  undefined,
  "",
  "Bearer",
  "Bearer wrong",
  "Bearer first.token2",
  "Bearer first.toke",
  "Bearer First.token",
  "Bearer first.token second-token==",
  "Bearer first.token,second-token==",
  "Basic Zmlyc3Q6dG9rZW4=",
  "first.token",
];

for (const value of REFUSED) {
  Deno.test(`createApp() with tokens answers 401 to Authorization: ${value}`, async () => {
    const app = makeApp({ tokens: TOKENS });
    const response = value === undefined
      ? await app.fetch(request("/v1/classify", upload(7)))
      : await app.fetch(authorized(value));
    assert.match(response.headers.get("WWW-Authenticate") ?? "", /^Bearer realm="[^"]+"$/);
    assert.equal(response.headers.get("Cache-Control"), "no-store");
    const detail = await assertProblem(response, 401, "unauthorized");
    for (const token of TOKENS) assert.ok(!detail.includes(token), "it gives no token away");
  });
}

Deno.test("createApp() with tokens asks for one below /v1/ and nowhere else", async () => {
  const read = () => Promise.resolve(new TextEncoder().encode("page"));
  const app = makeApp({ tokens: TOKENS, page: { read } });
  for (const path of ["/v1/classify", "/v1/embed", "/v1/score", "/v1/model", "/v1/nothing"]) {
    await assertProblem(await app.fetch(request(path)), 401, "unauthorized");
    await assertProblem(await app.fetch(request(path, upload(7))), 401, "unauthorized");
  }
  for (const path of ["/", "/docs", "/page/page.js", "/healthz", "/readyz", "/openapi.json"]) {
    const response = await app.fetch(request(path));
    assert.equal(response.status, 200, path);
    await response.body?.cancel();
  }
  const headers = { Authorization: `Bearer ${TOKENS[0]}` };
  await assertProblem(await app.fetch(request("/v1/nothing", { headers })), 404, "not-found");
  await assertProblem(
    await app.fetch(request("/v1/classify", { headers })),
    405,
    "method-not-allowed",
  );
});

Deno.test("createApp() with tokens leaves the upload of a stranger unread", async () => {
  let isRead = false;
  const body = new ReadableStream({
    pull(controller) {
      isRead = true;
      controller.close();
    },
  }, { highWaterMark: 0 });
  const response = await makeApp({ tokens: TOKENS }).fetch(
    request("/v1/classify", { method: "POST", body }),
  );
  await assertProblem(response, 401, "unauthorized");
  assert.ok(!isRead);
});

Deno.test("createApp() refuses tokens that would let nobody in", () => {
  assert.throws(() => makeApp({ tokens: [] }), { name: "TypeError", message: /empty/ });
  for (const token of ["", "two words", "café", "a,b", "a=b", "line\n"]) {
    assert.throws(() => makeApp({ tokens: ["good", token] }), (error: TypeError) => {
      assert.equal(error.name, "TypeError");
      assert.match(error.message, /number 2/);
      assert.ok(token === "" || !error.message.includes(token), "it does not say the token");
      return true;
    });
  }
});

Deno.test("parseTokens() reads lines and commas, and leaves comments out", () => {
  const text = "# the phone's, since May\nfirst.token\r\n\n  second-token==  \n  # old\nc,d, e\n";
  assert.deepEqual(parseTokens(text), ["first.token", "second-token==", "c", "d", "e"]);
  for (const empty of ["", "\n\n", "# none", " , "]) {
    assert.throws(() => parseTokens(empty), { name: "TypeError", message: /empty/ });
  }
  assert.throws(() => parseTokens("good\ntwo words"), { name: "TypeError", message: /number 2/ });
});

Deno.test("createApp() lets pages of each listed origin call, and of no other", async () => {
  const origins = [Origin, "http://localhost:3000", "capacitor://localhost"];
  const app = makeApp({ corsOrigin: origins });
  for (const origin of [...origins, "https://other.example", "https://example.com.evil.example"]) {
    const init = { ...upload(7), headers: { Origin: origin } };
    const response = await app.fetch(request("/v1/classify", init));
    await response.body?.cancel();
    const allowed = origins.includes(origin) ? origin : null;
    assert.equal(response.headers.get("Access-Control-Allow-Origin"), allowed);
    assert.match(response.headers.get("Vary") ?? "", /\bOrigin\b/, "caches must keep them apart");
    const exposed = response.headers.get("Access-Control-Expose-Headers")?.split(/, */);
    assert.deepEqual(exposed, ["Server-Timing", "Retry-After", "ETag", "Content-Range"]);
  }
});

Deno.test("createApp() lets every page call when * is among the origins, and none when there are none", async () => {
  for (
    const [corsOrigin, expected] of [["*", "*"], [["*"], "*"], [[Origin, "*"], "*"], [[], null]]
      .map(([given, answer]) => [given, answer] as [string | string[], string | null])
  ) {
    const init = { ...upload(7), headers: { Origin: "https://any.example" } };
    const response = await makeApp({ corsOrigin }).fetch(request("/v1/classify", init));
    await response.body?.cancel();
    assert.equal(response.headers.get("Access-Control-Allow-Origin"), expected);
  }
});

Deno.test("createApp() refuses what browsers never send as an origin", () => {
  for (const origin of ["example.com", "https://example.com/", "https://Example.com", "null", ""]) {
    assert.throws(() => makeApp({ corsOrigin: [Origin, origin] }), {
      name: "TypeError",
      message: /an origin is like https:/,
    });
  }
});

Deno.test("createApp() answers a preflight without a token and without counting it", async () => {
  let asked = 0;
  const app = makeApp({
    tokens: TOKENS,
    corsOrigin: [Origin],
    rateLimit: () => Promise.resolve(++asked > 100),
  });
  const preflight = await app.fetch(request("/v1/classify", {
    method: "OPTIONS",
    headers: {
      Origin,
      "Access-Control-Request-Method": "POST",
      "Access-Control-Request-Headers": "authorization,content-type",
    },
  }));
  assert.equal(preflight.status, 204);
  assert.equal(preflight.headers.get("Access-Control-Allow-Origin"), Origin);
  assert.match(preflight.headers.get("Access-Control-Allow-Methods") ?? "", /\bPOST\b/);
  assert.match(preflight.headers.get("Access-Control-Allow-Headers") ?? "", /\bauthorization\b/i);
  assert.equal(preflight.headers.get("Access-Control-Max-Age"), "7200");
  assert.equal(asked, 0);
});

Deno.test("createApp() lets pages read why they were turned away", async () => {
  const refusing = { rateLimit: () => Promise.resolve(false) };
  for (const [options, status] of [[{ tokens: TOKENS }, 401], [refusing, 429]] as const) {
    const app = makeApp({ corsOrigin: Origin, ...options });
    const init = { ...upload(7), headers: { Origin } };
    const response = await app.fetch(request("/v1/classify", init));
    await response.body?.cancel();
    assert.equal(response.status, status);
    assert.equal(response.headers.get("Access-Control-Allow-Origin"), Origin);
  }
});

Deno.test("createApp() answers 429 to whom the limit refuses, below /v1/ alone, token or not", async () => {
  const asked: string[] = [];
  const app = makeApp({
    tokens: TOKENS,
    rateLimit: ({ url, bodyUsed }) => {
      asked.push(new URL(url).pathname);
      return Promise.resolve(!bodyUsed && asked.length % 2 === 1);
    },
  });
  const bearer = `Bearer ${TOKENS[0]}`;
  const first = await app.fetch(authorized(bearer));
  assert.equal(first.status, 200);
  await first.body?.cancel();
  const second = await app.fetch(authorized(bearer, "/v1/embed"));
  assert.equal(second.headers.get("Retry-After"), "60");
  await assertProblem(second, 429, "rate-limited");
  await assertProblem(await app.fetch(authorized("Bearer guess")), 401, "unauthorized");
  await assertProblem(await app.fetch(authorized("Bearer guess")), 429, "rate-limited");
  for (const path of ["/healthz", "/readyz", "/openapi.json"]) {
    const response = await app.fetch(request(path));
    assert.equal(response.status, 200);
    await response.body?.cancel();
  }
  assert.deepEqual(asked, ["/v1/classify", "/v1/embed", "/v1/classify", "/v1/classify"]);
});

Deno.test("createApp() fails, and says so in the log, when the limit cannot be asked", async () => {
  const heard: unknown[] = [];
  const app = makeApp({
    rateLimit: () => Promise.reject(new Error("secret: no connection")),
    onError: (error) => heard.push(error),
  });
  const response = await app.fetch(request("/v1/classify", upload(7)));
  assert.doesNotMatch(await assertProblem(response, 500, "internal"), /secret/);
  assert.match(String(heard), /secret/);
});

/** What these tests look at of an OpenAPI document. */
interface OpenApi {
  readonly paths: Record<
    string,
    Record<string, { security?: object[]; responses: Record<string, { description: string }> }>
  >;
  readonly components: { readonly securitySchemes?: Record<string, object> };
}

Deno.test("createApp() describes tokens and limits in /openapi.json where there are any", async () => {
  const describe = async (options: Parameters<typeof makeApp>[0]): Promise<OpenApi> =>
    await (await makeApp(options).fetch(request("/openapi.json"))).json();

  const open = await describe({});
  assert.equal(open.components.securitySchemes, undefined);
  const closed = await describe({
    tokens: TOKENS,
    rateLimit: () => Promise.resolve(true),
  });
  const [[name, scheme], ...others] = Object.entries(closed.components.securitySchemes ?? {});
  assert.deepEqual(scheme, { type: "http", scheme: "bearer" });
  assert.equal(others.length, 0);
  for (const [path, operations] of Object.entries(closed.paths)) {
    for (const [method, { security, responses }] of Object.entries(operations)) {
      const isAsked = path.startsWith("/v1/");
      assert.deepEqual(security, isAsked ? [{ [name]: [] }] : undefined, path);
      for (const [status, code] of [["401", "unauthorized"], ["429", "rate-limited"]]) {
        assert.equal(responses[status]?.description.includes(code) ?? false, isAsked, path);
        assert.equal(open.paths[path][method].responses[status], undefined);
      }
      assert.equal(open.paths[path][method].security, undefined);
    }
  }
  assert.ok(!JSON.stringify(closed).includes(TOKENS[0]));
});
