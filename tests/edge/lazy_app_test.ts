import { ClipEError } from "@clip-e/shared";
import assert from "node:assert/strict";
import { createLazyApp } from "../../edge/app/lazy_app.ts";
import { assertProblem } from "../e2e/assert_problem.ts";

const get = (path: string) => new Request(`https://example.com${path}`);
const working = { fetch: ({ url }: Request) => new Response(`answer to ${new URL(url).pathname}`) };

async function textOf(response: Response | Promise<Response>): Promise<string> {
  return await (await response).text();
}

Deno.test("createLazyApp() opens at the first request, once for all that wait", async () => {
  let opened = 0;
  const { promise, resolve } = Promise.withResolvers<typeof working>();
  const app = createLazyApp(() => {
    opened++;
    return promise;
  });
  assert.equal(opened, 0);
  const answers = ["/a", "/b", "/c"].map((path) => textOf(app.fetch(get(path))));
  resolve(working);
  assert.deepEqual(await Promise.all(answers), ["answer to /a", "answer to /b", "answer to /c"]);
  assert.equal(await textOf(app.fetch(get("/d"))), "answer to /d");
  assert.equal(opened, 1);
});

Deno.test("createLazyApp() answers /healthz without opening", async () => {
  const app = createLazyApp(() => assert.fail("it was opened"));
  assert.equal(await textOf(app.fetch(get("/healthz"))), "ok");
});

Deno.test("createLazyApp() answers 503 without the reason when it cannot open, and tries again", async () => {
  const faults: unknown[] = [
    new ClipEError("invalid-bundle", "there is nothing in /srv/secret"),
    new Error("disk on fire"),
  ];
  const left = [...faults];
  const heard: unknown[] = [];
  const open = () => left.length > 0 ? Promise.reject(left.shift()) : Promise.resolve(working);
  const app = createLazyApp(open, (error) => heard.push(error));
  for (const code of ["invalid-bundle", "internal"] as const) {
    const together = await Promise.all(["/a", "/b"].map((path) => app.fetch(get(path))));
    for (const response of together) {
      assert.equal(response.headers.get("Retry-After"), "1");
      assert.doesNotMatch(await assertProblem(response, 503, code), /secret|fire/);
    }
  }
  assert.deepEqual(heard, faults);
  assert.equal(await textOf(app.fetch(get("/a"))), "answer to /a");
});

Deno.test("createLazyApp() tries again after an open that throws at once", async () => {
  let opened = 0;
  const app = createLazyApp(() => {
    if (++opened === 1) throw new Error("no");
    return Promise.resolve(working);
  });
  await assertProblem(await app.fetch(get("/a")), 503, "internal");
  assert.equal(await textOf(app.fetch(get("/a"))), "answer to /a");
});
