/**
 * What every way to serve must answer, by HTTP alone: the same cases run against the Deno server and against the Worker.
 */

import { MANIFEST_PATH, sha256, TAXONOMIES } from "@clip-e/shared";
import assert from "node:assert/strict";
import { z } from "zod";
import type { BrowserFiles } from "../../edge/app/serve_browser.ts";
import { SCHEMAS } from "../../edge/app/openapi.ts";
import { METHODS } from "../../edge/model_info.ts";
import { readPicture } from "../golden_file.ts";
import type { SyntheticBundle } from "../synthetic_bundle.ts";
import { assertProblem } from "./assert_problem.ts";
import { classifyOverHttp, readAnswer, scoresByLabel } from "./classify_over_http.ts";
import { plainScores } from "./plain_scores.ts";

const storm = await readPicture("storm.jpg");

/** What is tested. */
export interface Served {
  /** What test names call it. */
  readonly name: string;
  /** Where it answers, without a slash at the end; it runs once the tests do. */
  readonly url: () => string;
  /** Whether to leave its tests out. */
  readonly ignore?: boolean;
}

/** What the tests look at of an OpenAPI document. */
interface OpenApi {
  readonly openapi: string;
  readonly info: { readonly title: string; readonly version: string };
  readonly paths: Record<string, Record<string, Operation>>;
  readonly components: { readonly schemas: Record<string, object> };
}

interface Operation {
  readonly summary?: string;
  readonly parameters?: { name: string; in: string; schema: object }[];
  readonly requestBody?: { content: Record<string, object> };
  readonly responses: Record<
    string,
    { description: string; content?: Record<string, { schema: object }> }
  >;
}

/**
 * Registers the tests.
 *
 * @param served what serves the bundle
 * @param bundle that it serves
 */
export function testApi({ name, url, ignore = false }: Served, bundle: SyntheticBundle): void {
  const server = {
    get url() {
      return url();
    },
  };
  const test = (what: string, fn: () => Promise<void>) =>
    Deno.test({ name: `${name}: ${what}`, ignore, fn });

  function post(path: string, body: BodyInit, headers: HeadersInit = {}): Promise<Response> {
    return fetch(`${server.url}${path}`, { method: "POST", body, headers });
  }

  async function embed(picture: Uint8Array<ArrayBuffer>): Promise<number[]> {
    const answer = await readAnswer(await post("/v1/embed", picture), SCHEMAS.EmbedAnswer);
    assert.ok("embedding" in answer);
    return answer.embedding;
  }

  test("answers every taxonomy by every method with the scores of the formulas", async () => {
    for (const name of ["storm.jpg", "rgba.png", "lossy.webp"]) {
      const picture = await readPicture(name);
      const embedding = await embed(picture);
      for (const { id, methods } of bundle.manifest.taxonomies) {
        for (const { method } of methods) {
          const query = `taxonomy=${id}&method=${method}`;
          const { predictions } = await classifyOverHttp(server.url, picture, query);
          assert.equal(predictions.length, 1);
          const [{ taxonomy, method: answered, degraded, scores }] = predictions;
          assert.deepEqual([taxonomy, answered, degraded], [id, method, undefined]);

          const expected = plainScores(bundle, id, method, embedding);
          const actual = scoresByLabel(scores);
          assert.deepEqual([...actual.keys()].sort(), [...expected.keys()].sort());
          for (const [label, score] of expected) {
            const difference = Math.abs(score - (actual.get(label) ?? NaN));
            assert.ok(difference < 1e-6, `${name} ${id} ${method} ${label}: off by ${difference}`);
          }
          const values = scores.map(({ score }) => score);
          assert.deepEqual(values, values.toSorted((a, b) => b - a), "highest first");
          assert.ok(Math.abs(values.reduce((a, b) => a + b) - 1) < 1e-6, "they sum to 1");
        }
      }
    }
  });

  test("answers all taxonomies by their best methods when nothing is asked for", async () => {
    const { model, image, predictions } = await classifyOverHttp(server.url, storm);
    assert.equal(model.name, "synthetic");
    assert.match(model.bundle, /^sha256:[0-9a-f]{64}$/);
    assert.deepEqual(image, { width: 1024, height: 683 });
    assert.deepEqual(
      predictions.map(({ taxonomy, method }) => [taxonomy, method]),
      bundle.manifest.taxonomies.map(({ id, methods }) => [id, methods[0].method]),
    );
    for (const { taxonomy, scores } of predictions) {
      const labels = TAXONOMIES.find(({ id }) => id === taxonomy)?.labels.map(({ id }) => id);
      assert.deepEqual(scores.map(({ label }) => label).sort(), labels?.toSorted());
    }
  });

  test("tells one picture from another", async () => {
    const one = await classifyOverHttp(server.url, storm, "taxonomy=secondary");
    const other = await classifyOverHttp(
      server.url,
      await readPicture("sunset.jpg"),
      "taxonomy=secondary",
    );
    const largest = (answer: typeof one) => answer.predictions[0].scores[0];
    assert.notEqual(largest(one).label, largest(other).label);
  });

  test("top gives that many scores of each taxonomy, the highest, as they are without it", async () => {
    const whole = await classifyOverHttp(server.url, storm);
    const topped = await classifyOverHttp(server.url, storm, "top=3");
    assert.deepEqual(
      topped.predictions.map(({ scores }) => scores),
      whole.predictions.map(({ scores }) => scores.slice(0, 3)),
    );
  });

  test("taxonomy may be repeated: each is answered once, in the order asked", async () => {
    const query = "taxonomy=quadrant&taxonomy=polarity&taxonomy=quadrant";
    const { predictions } = await classifyOverHttp(server.url, storm, query);
    assert.deepEqual(predictions.map(({ taxonomy }) => taxonomy), ["quadrant", "polarity"]);
  });

  test("method=all gives the answers of every method, of each taxonomy best first", async () => {
    const { predictions } = await classifyOverHttp(server.url, storm, "method=all");
    assert.deepEqual(
      predictions.map(({ taxonomy, method }) => [taxonomy, method]),
      bundle.manifest.taxonomies.flatMap(({ id, methods }) =>
        methods.map(({ method }) => [id, method])
      ),
    );
    for (const method of METHODS) {
      const named = await classifyOverHttp(server.url, storm, `method=${method}`);
      assert.deepEqual(predictions.filter((one) => one.method === method), named.predictions);
    }
  });

  test("a method without a taxonomy answers those that know it", async () => {
    const { predictions } = await classifyOverHttp(server.url, storm, "method=cross-entropy");
    assert.deepEqual(
      predictions.map(({ taxonomy }) => taxonomy),
      ["polarity", "primary", "secondary"],
    );
  });

  test("names what there is when it is asked for what there is not", async () => {
    const taxonomy = await assertProblem(
      await post("/v1/classify?taxonomy=mood", storm),
      422,
      "unknown-taxonomy",
    );
    for (const word of ["mood", ...TAXONOMIES.map(({ id }) => id)]) {
      assert.ok(taxonomy.includes(word));
    }

    const method = await assertProblem(
      await post("/v1/classify?method=magic", storm),
      422,
      "unknown-method",
    );
    for (const word of ["magic", "auto", ...METHODS]) assert.ok(method.includes(word));

    const ofTaxonomy = await assertProblem(
      await post("/v1/classify?taxonomy=mikels&method=cross-entropy", storm),
      422,
      "unknown-method",
    );
    for (const word of ["mikels", "contrastive", "zero-shot"]) assert.ok(ofTaxonomy.includes(word));
  });

  test("refuses parameters that it does not know or that cannot be", async () => {
    const misspelt = await assertProblem(
      await post("/v1/classify?taxonomie=polarity", storm),
      422,
      "invalid-parameter",
    );
    for (const word of ["taxonomie", "taxonomy", "method", "top"]) {
      assert.ok(misspelt.includes(word));
    }
    for (const query of ["top=0", "top=-1", "top=1.5", "top=all", "top=", "top=1&top=2"]) {
      const detail = await assertProblem(
        await post(`/v1/classify?${query}`, storm),
        422,
        "invalid-parameter",
      );
      assert.match(detail, /\btop\b/);
    }
    await assertProblem(
      await post("/v1/classify?method=auto&method=zero-shot", storm),
      422,
      "invalid-parameter",
    );
  });

  test("a wrong query is refused before the picture is looked at", async () => {
    const garbage = await readPicture("bad/garbage.jpg");
    await assertProblem(await post("/v1/classify?taxonomy=mood", garbage), 422, "unknown-taxonomy");
  });

  test("a caller's own words come back shortened and as JSON", async () => {
    const words = encodeURIComponent(`<script>alert("x")</script>\n`.repeat(20));
    const detail = await assertProblem(
      await post(`/v1/classify?taxonomy=${words}`, storm),
      422,
      "unknown-taxonomy",
    );
    assert.ok(detail.length < 250, detail);
    assert.doesNotMatch(detail, /\n/);
  });

  test("/v1/embed gives the embedding, its space and its size", async () => {
    const response = await post("/v1/embed", storm);
    const answer = await readAnswer(response, SCHEMAS.EmbedAnswer);
    assert.ok("embedding" in answer);
    const { image, embeddingSpace, embedding } = answer;
    assert.deepEqual(image, { width: 1024, height: 683 });
    assert.deepEqual(embeddingSpace, bundle.manifest.embeddingSpace);
    assert.equal(embeddingSpace.size, 512);
    assert.equal(embedding.length, 512);
    assert.ok(Math.abs(Math.hypot(...embedding) - 1) > 1, "it is not normalised");
  });

  test("/v1/score says of an embedding what /v1/classify says of its picture, by every method", async () => {
    const { embeddingSpace, embedding } = await (await post("/v1/embed", storm)).json();
    const body = new TextEncoder().encode(
      JSON.stringify({ embeddingSpace: embeddingSpace.id, embedding }),
    );
    for (
      const query of [
        "",
        "?method=all",
        "?method=contrastive",
        "?method=zero-shot&top=2",
        "?taxonomy=polarity",
      ]
    ) {
      const scored = await readAnswer(await post(`/v1/score${query}`, body), SCHEMAS.ScoreAnswer);
      const classified = await (await post(`/v1/classify${query}`, storm)).json();
      assert.deepEqual(scored.predictions, classified.predictions, query);
    }
    const short = JSON.stringify({ embeddingSpace: embeddingSpace.id, embedding: [1, 2] });
    await assertProblem(
      await post("/v1/score", new TextEncoder().encode(short)),
      422,
      "invalid-embedding",
    );
  });

  test("says that nothing is at a path, and which methods a path answers", async () => {
    await assertProblem(await fetch(`${server.url}/v2/classify`), 404, "not-found");
    await assertProblem(await fetch(`${server.url}/manifest.json`), 404, "not-found");
    for (
      const [method, path, allow] of [
        ["GET", "/v1/classify", "POST"],
        ["PUT", "/v1/embed", "POST"],
        ["POST", "/healthz", "GET"],
        ["DELETE", "/v1/model", "GET"],
      ]
    ) {
      const response = await fetch(`${server.url}${path}`, { method });
      const allowed = response.headers.get("Allow")?.split(", ") ?? [];
      assert.ok(allowed.includes(allow) && !allowed.includes(method), `${path}: ${allowed}`);
      const detail = await assertProblem(response, 405, "method-not-allowed");
      assert.ok(detail.includes(path) && detail.includes(allow), detail);
    }
  });

  test("HEAD answers as GET does, without a body", async () => {
    const response = await fetch(`${server.url}/healthz`, { method: "HEAD" });
    assert.equal(response.status, 200);
    assert.equal(await response.text(), "");
  });

  test("/readyz says that a whole bundle is ready", async () => {
    const answer = await readAnswer(await fetch(`${server.url}/readyz`), SCHEMAS.ReadyAnswer);
    assert.deepEqual(answer, { status: "ready", faults: [] });
  });

  test("/v1/model says what the bundle's manifest does", async () => {
    const model = await readAnswer(await fetch(`${server.url}/v1/model`), SCHEMAS.ModelAnswer);
    const { manifest } = bundle;
    assert.deepEqual(model.embeddingSpace, manifest.embeddingSpace);
    assert.deepEqual(
      model.encoder,
      { file: "encoder.onnx", precision: "float32", backend: "wasm", crop: 32 },
    );
    assert.deepEqual(
      model.taxonomies.map(({ id, title, labels, methods }) => ({
        id,
        title,
        labels,
        methods: methods.map(({ method, temperature }) => ({ method, temperature })),
      })),
      manifest.taxonomies.map(({ id, title, labels, methods }) => ({
        id,
        title,
        labels,
        methods: methods.map(({ method, temperature }) => ({ method, temperature })),
      })),
    );
    assert.ok(model.taxonomies.every(({ methods }) => methods.every(({ available }) => available)));
    assert.deepEqual(model.taxonomies[0].methods[0].figures, { accuracy: 0.5 });
    assert.deepEqual(model.provenance, manifest.provenance);
    assert.match(model.modelCard ?? "", /^# Synthetic/);
    const { model: named } = await classifyOverHttp(server.url, storm, "top=1");
    assert.equal(named.bundle, model.bundle);
  });

  async function readDescription(): Promise<OpenApi> {
    const response = await fetch(`${server.url}/openapi.json`);
    assert.equal(response.status, 200);
    assert.match(response.headers.get("Content-Type") ?? "", /^application\/json\b/);
    return await response.json();
  }

  test("/openapi.json is an OpenAPI 3.1 document whose references all lead somewhere", async () => {
    const document = await readDescription();
    assert.match(document.openapi, /^3\.1\.\d+$/);
    assert.ok(document.info.title && document.info.version);
    const references = JSON.stringify(document).matchAll(/"\$ref":"([^"]+)"/g);
    const names = new Set(Array.from(references, ([, reference]) => reference));
    assert.ok(names.size > 5);
    for (const name of names) {
      const found = name.match(/^#\/components\/schemas\/(\w+)$/)?.[1];
      assert.ok(found && document.components.schemas[found], `${name} leads nowhere`);
    }
    for (const [path, operations] of Object.entries(document.paths)) {
      assert.match(path, /^\//);
      for (const [method, operation] of Object.entries(operations)) {
        const where = `${method} ${path}`;
        assert.ok(operation.summary, where);
        assert.ok(operation.responses["200"], where);
        for (const [status, { description }] of Object.entries(operation.responses)) {
          assert.match(status, /^[2-5]\d\d$/, where);
          assert.ok(description, `${where} ${status}`);
        }
        for (const parameter of operation.parameters ?? []) {
          assert.ok(parameter.name && parameter.schema, where);
          const isInPath = path.includes(`{${parameter.name}}`);
          assert.equal(parameter.in, isInPath ? "path" : "query", where);
        }
      }
    }
  });

  test("/openapi.json tells of every path of the API, and of each picture type", async () => {
    const { paths } = await readDescription();
    assert.deepEqual(
      Object.entries(paths).map(([path, operations]) => `${Object.keys(operations)} ${path}`)
        .sort(),
      [
        "get /healthz",
        "get /readyz",
        "get /v1/bundle/{path}",
        "get /v1/model",
        "post /v1/classify",
        "post /v1/embed",
        "post /v1/score",
      ],
    );
    const { requestBody, parameters } = paths["/v1/classify"].post;
    assert.deepEqual(Object.keys(requestBody?.content ?? {}), [
      "image/jpeg",
      "image/png",
      "image/webp",
      "multipart/form-data",
    ]);
    assert.deepEqual(parameters?.map(({ name }) => name), ["taxonomy", "label", "method", "top"]);
  });

  test("the schemas in /openapi.json accept the answers that the server gives", async () => {
    const { paths, components } = await readDescription();
    const rename = (value: unknown) =>
      JSON.parse(JSON.stringify(value).replaceAll("#/components/schemas/", "#/$defs/"));
    const $defs = rename(components.schemas);
    const validator = (path: string, method: string, status: number, type: string) => {
      const schema = paths[path][method].responses[status]?.content?.[type]?.schema;
      assert.ok(schema, `${method} ${path} does not tell of ${status} as ${type}`);
      return z.fromJSONSchema({ ...rename(schema), $defs });
    };
    const several = new FormData();
    several.append("image", new Blob([storm]), "storm.jpg");
    several.append("image", new Blob([await readPicture("bad/notes.txt")]), "notes.txt");
    const notes = await readPicture("bad/notes.txt");
    for (
      const [method, path, query, body] of [
        ["post", "/v1/classify", "", storm],
        ["post", "/v1/classify", "", several],
        ["post", "/v1/classify", "", notes],
        ["post", "/v1/classify", "?top=0", storm],
        ["post", "/v1/embed", "", storm],
        ["post", "/v1/embed", "", several],
        ["post", "/v1/embed", "", notes],
        ["get", "/v1/model", "", undefined],
        ["get", "/readyz", "", undefined],
      ] as const
    ) {
      const response = await fetch(`${server.url}${path}${query}`, {
        method: method.toUpperCase(),
        ...(body && { body }),
      });
      const type = response.headers.get("Content-Type")?.split(";")[0] ?? "";
      const answer = await response.json();
      const schema = validator(path, method, response.status, type);
      schema.parse(answer);
      assert.ok(!schema.safeParse({ other: 1 }).success, "the schema accepts anything at all");
    }
  });

  test("the page and the API's documentation are served under a strict policy", async () => {
    const types = {
      "/": "text/html; charset=utf-8",
      "/page/page.css": "text/css; charset=utf-8",
      "/page/page.js": "text/javascript; charset=utf-8",
      "/favicon.svg": "image/svg+xml",
      "/docs": "text/html; charset=utf-8",
      "/docs/docs.css": "text/css; charset=utf-8",
      "/docs/docs.js": "text/javascript; charset=utf-8",
      "/docs/swagger-ui.css": "text/css; charset=utf-8",
      "/docs/swagger-ui-bundle.js": "text/javascript; charset=utf-8",
    };
    for (const [path, type] of Object.entries(types)) {
      const response = await fetch(`${server.url}${path}`);
      const text = await response.text();
      assert.equal(response.status, 200, path);
      assert.equal(response.headers.get("Content-Type"), type, path);
      assert.ok(text.length > 100, path);
      assertStrictPolicy(response.headers, path);
      if (!type.startsWith("text/html")) continue;
      for (const [, link] of text.matchAll(/(?:href|src)="([^"]+)"/g)) {
        const target = await fetch(new URL(link, `${server.url}${path}`));
        await target.body?.cancel();
        assert.equal(target.status, 200, `${path} leads to ${link}`);
        assert.ok(!/^\w+:|^\/\//.test(link), `${link} is not the server's own`);
      }
    }
  });

  test("what the page computes with in a browser is served whole, under the page's policy", async () => {
    const files: BrowserFiles = await (await fetch(`${server.url}/browser/files.json`)).json();
    for (const name of ["classifier.js", "worker.js", "mozjpeg_dec.wasm"]) {
      const response = await fetch(`${server.url}/browser/${name}`);
      const bytes = new Uint8Array(await response.arrayBuffer());
      assert.equal(response.status, 200, name);
      assert.equal(bytes.length, files[name].bytes, name);
      assert.equal(await sha256(bytes), files[name].sha256, name);
      const type = name.endsWith(".js") ? "text/javascript; charset=utf-8" : "application/wasm";
      assert.equal(response.headers.get("Content-Type"), type);
      assertStrictPolicy(response.headers, `/browser/${name}`);

      const tag = response.headers.get("ETag") ?? assert.fail();
      const again = await fetch(`${server.url}/browser/${name}`, {
        headers: { "If-None-Match": tag },
      });
      assert.equal(again.status, 304, name);
      assert.equal(await again.text(), "");
    }
    for (const name of ["", "stamp", "worker.js.gz", "..%2fpage%2findex.html"]) {
      await assertProblem(await fetch(`${server.url}/browser/${name}`), 404, "not-found");
    }
  });

  test("/v1/bundle/ gives the files that the manifest names, whole and in pieces, and no others", async () => {
    const { bundle: digest } = await (await fetch(`${server.url}/v1/model`)).json();
    for (const [path, expected] of bundle.files) {
      const response = await fetch(`${server.url}/v1/bundle/${path}`);
      assert.equal(response.status, 200, path);
      assert.deepEqual(new Uint8Array(await response.arrayBuffer()), expected, path);
      const hash = await sha256(expected);
      // Whoever packs an answer on the way makes its tag a weak one.
      assert.equal(response.headers.get("ETag")?.replace(/^W\//, ""), `"${hash}"`, path);
      if (path === MANIFEST_PATH) assert.equal(digest, `sha256:${hash}`);
      assertStrictPolicy(response.headers, path);
    }
    for (
      const path of ["", "parts.json", "README", "..%2fpage%2findex.html", "%2e%2e/page/page.js"]
    ) {
      await assertProblem(await fetch(`${server.url}/v1/bundle/${path}`), 404, "not-found");
    }

    const url = `${server.url}/v1/bundle/encoder.onnx`;
    const encoder = bundle.files.get("encoder.onnx") ?? assert.fail();
    const whole = await fetch(url, { method: "HEAD" });
    assert.equal(whole.headers.get("Content-Length"), String(encoder.length));
    assert.equal(await whole.text(), "");
    const tag = whole.headers.get("ETag") ?? assert.fail();
    const known = await fetch(url, { headers: { "If-None-Match": tag } });
    assert.equal(known.status, 304);
    assert.equal(await known.text(), "");
    const rest = await fetch(url, { headers: { Range: "bytes=100000-", "If-Range": tag } });
    assert.equal(rest.status, 206);
    assert.equal(rest.headers.get("Content-Length"), String(encoder.length - 100_000));
    assert.equal(
      rest.headers.get("Content-Range"),
      `bytes 100000-${encoder.length - 1}/${encoder.length}`,
    );
    assert.deepEqual(new Uint8Array(await rest.arrayBuffer()), encoder.subarray(100_000));
    const beyond = await fetch(url, { headers: { Range: `bytes=${encoder.length}-` } });
    assert.equal(beyond.headers.get("Content-Range"), `bytes */${encoder.length}`);
    await assertProblem(beyond, 416, "unsatisfiable-range");
  });

  test("answers and errors of the API carry the strict policy too", async () => {
    for (const path of ["/v1/model", "/nowhere", "/healthz"]) {
      const response = await fetch(`${server.url}${path}`);
      await response.body?.cancel();
      assertStrictPolicy(response.headers, path);
    }
  });
}

function assertStrictPolicy(headers: Headers, path: string): void {
  const policy = headers.get("Content-Security-Policy") ?? "";
  const rules = new Map(
    policy.split(/;\s*/).map((rule) => {
      const [name, ...sources] = rule.split(" ");
      return [name, sources.join(" ")];
    }),
  );
  assert.equal(rules.get("default-src"), "'none'", path);
  const isOfPage = /^\/($|page\/|browser\/)/.test(path);
  assert.equal(rules.get("script-src"), isOfPage ? "'self' 'wasm-unsafe-eval'" : "'self'", path);
  assert.equal(rules.get("worker-src"), isOfPage ? "'self'" : undefined, path);
  assert.equal(rules.get("style-src"), "'self'", path);
  assert.equal(rules.get("connect-src"), "'self'", path);
  assert.equal(rules.get("frame-ancestors"), "'none'", path);
  assert.doesNotMatch(policy, /(?<!wasm-)unsafe|\*|https?:/, path);
  assert.equal(headers.get("X-Content-Type-Options"), "nosniff", path);
  assert.equal(headers.get("Access-Control-Allow-Origin"), null, path);
}
