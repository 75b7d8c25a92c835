/**
 * What every way to serve must make of uploads, by HTTP alone: the same cases run against the Deno server and against the
 * Worker.
 */

import type { ErrorCode } from "@clip-e/shared";
import assert from "node:assert/strict";
import { SCHEMAS } from "../../edge/app/openapi.ts";
import type { ImageSize } from "../../edge/classifier.ts";
import { readPicture, readPreprocessGoldens } from "../golden_file.ts";
import type { Served } from "./api_suite.ts";
import { assertProblem, assertProblemObject } from "./assert_problem.ts";
import {
  type ClassifyAnswer,
  classifyOverHttp,
  readAnswer,
  scoresByLabel,
} from "./classify_over_http.ts";

const storm = await readPicture("storm.jpg");

/** What each bad picture is answered. */
const BAD: Readonly<Record<string, readonly [status: number, code: ErrorCode, says: RegExp]>> = {
  "animated.gif": [415, "unsupported-type", /GIF/],
  "animated.webp": [415, "unsupported-type", /animated WebP/],
  "cmyk.jpg": [422, "unsupported-colour", /CMYK/],
  "corrupt.png": [422, "undecodable", /PNG/],
  "drawing.svg": [415, "unsupported-type", /SVG/],
  "empty.jpg": [400, "no-picture", /no picture/],
  "garbage.jpg": [422, "truncated", /JPEG/],
  "huge.jpg": [422, "too-many-pixels", /65000 x 65000/],
  "huge.png": [422, "too-many-pixels", /60000 x 60000/],
  "huge.webp": [422, "too-many-pixels", /16383 x 16383/],
  "notes.txt": [415, "unsupported-type", /JPEG, PNG or WebP/],
  "photo.avif": [415, "unsupported-type", /AVIF/],
  "photo.heic": [415, "unsupported-type", /HEIC/],
  "photo.jxl": [415, "unsupported-type", /JPEG XL/],
  "still.bmp": [415, "unsupported-type", /BMP/],
  "still.gif": [415, "unsupported-type", /GIF/],
  "still.tiff": [415, "unsupported-type", /TIFF/],
  "truncated.jpg": [422, "truncated", /JPEG/],
  "truncated.png": [422, "truncated", /PNG/],
  "truncated.webp": [422, "truncated", /WebP/],
  "twelve_bit.jpg": [422, "undecodable", /12 bits/],
};

/**
 * Makes a multipart body.
 *
 * @param names of pictures, each a part named `image`
 */
export async function pictureForm(...names: string[]): Promise<FormData> {
  const form = new FormData();
  for (const name of names) form.append("image", new Blob([await readPicture(name)]), name);
  return form;
}

/** The upright size of every drawn picture, as Pillow sees it. */
async function readSizes(): Promise<Map<string, ImageSize>> {
  const goldens = await readPreprocessGoldens();
  return new Map(goldens.map(({ picture, width, height }) => [picture, { width, height }]));
}

/** The results of a multipart answer. */
export async function readResults(
  response: Response,
): Promise<(Pick<ClassifyAnswer, "image" | "predictions"> | { error: unknown })[]> {
  const answer: unknown = await readAnswer(response, SCHEMAS.ClassifyAnswer);
  assert.ok(typeof answer === "object" && answer !== null && "results" in answer);
  assert.ok(Array.isArray(answer.results));
  return answer.results;
}

/**
 * Registers the tests.
 *
 * @param served what serves the synthetic bundle
 */
export function testUploads({ name, url, ignore = false }: Served): void {
  const server = {
    get url() {
      return url();
    },
  };
  const test = (what: string, fn: () => Promise<void>) =>
    Deno.test({ name: `${name}: ${what}`, ignore, fn });

  function post(body: BodyInit, headers: HeadersInit = {}): Promise<Response> {
    return fetch(`${server.url}/v1/classify`, { method: "POST", body, headers });
  }

  test("every drawn picture is answered, with its upright size", async () => {
    const sizes = await readSizes();
    const names = await Array.fromAsync(
      Deno.readDir(new URL("../../fixtures/pictures/", import.meta.url)),
    );
    const pictures = names.filter(({ isFile, name }) => isFile && !name.endsWith(".md"));
    assert.deepEqual(pictures.map(({ name }) => name).sort(), [...sizes.keys()].sort());
    for (const [name, size] of sizes) {
      const { image, predictions } = await classifyOverHttp(server.url, await readPicture(name));
      assert.deepEqual(image, size, name);
      assert.equal(predictions.length, 5, name);
    }
  });

  test("a picture is turned upright before it is looked at, whatever its Exif says", async () => {
    const upright = await classifyOverHttp(server.url, await readPicture("exif_1.jpg"));
    const names = [2, 3, 4, 5, 6, 7, 8].map((orientation) => `exif_${orientation}.jpg`);
    for (const name of [...names, "exif_6.png", "exif_6.webp"]) {
      // Blocks fall differently on a turned picture, and WebP loses other things than JPEG. Without turning, the scores of
      // the six emotions are off by 0.17 and more.
      const tolerance = name.endsWith(".webp") ? 0.06 : 0.03;
      const answer = await classifyOverHttp(server.url, await readPicture(name));
      assert.deepEqual(answer.image, upright.image, name);
      for (const [k, { taxonomy, scores }] of upright.predictions.entries()) {
        const actual = scoresByLabel(answer.predictions[k].scores);
        for (const { label, score } of scores) {
          const difference = Math.abs(score - (actual.get(label) ?? NaN));
          assert.ok(difference < tolerance, `${name} ${taxonomy} ${label}: off by ${difference}`);
        }
      }
    }
  });

  test("every bad picture is refused with its status, its code and a sentence", async () => {
    const names = await Array.fromAsync(
      Deno.readDir(new URL("../../fixtures/pictures/bad/", import.meta.url)),
    );
    assert.deepEqual(names.map(({ name }) => name).sort(), Object.keys(BAD).sort());
    for (const [name, [status, code, says]] of Object.entries(BAD)) {
      const picture = await readPicture(`bad/${name}`);
      for (const path of ["/v1/classify", "/v1/embed"]) {
        const response = await fetch(`${server.url}${path}`, { method: "POST", body: picture });
        assert.match(await assertProblem(response, status, code), says, name);
      }
    }
  });

  test("a picture's bytes say what it is, whatever Content-Type claims", async () => {
    const expected = await classifyOverHttp(server.url, storm);
    for (
      const type of [
        "image/png",
        "image/gif",
        "text/plain",
        "application/json",
        // What curl --data-binary says of everything.
        "application/x-www-form-urlencoded",
        "nonsense",
      ]
    ) {
      const response = await post(storm, { "Content-Type": type });
      assert.deepEqual(await readAnswer(response, SCHEMAS.ClassifyAnswer), expected, type);
    }
    const notes = await readPicture("bad/notes.txt");
    await assertProblem(
      await post(notes, { "Content-Type": "image/jpeg" }),
      415,
      "unsupported-type",
    );
  });

  test("a multipart request of one picture is answered with a list of one", async () => {
    const { image, predictions } = await classifyOverHttp(server.url, storm);
    const results = await readResults(await post(await pictureForm("storm.jpg")));
    assert.deepEqual(results, [{ image, predictions }]);
  });

  test("one bad picture among several does not spoil the others", async () => {
    const results = await readResults(
      await post(await pictureForm("storm.jpg", "bad/corrupt.png", "rgba.png")),
    );
    assert.equal(results.length, 3);
    for (const [place, name] of [[0, "storm.jpg"], [2, "rgba.png"]] as const) {
      const { image, predictions } = await classifyOverHttp(server.url, await readPicture(name));
      assert.deepEqual(results[place], { image, predictions }, name);
    }
    const [, bad] = results;
    assert.ok("error" in bad);
    assertProblemObject(bad.error, 422, "undecodable");
  });

  test("a multipart request of nothing but bad pictures is answered 200, each with its error", async () => {
    const results = await readResults(
      await post(await pictureForm("bad/notes.txt", "bad/empty.jpg", "bad/truncated.jpg")),
    );
    const codes = [[415, "unsupported-type"], [400, "no-picture"], [422, "truncated"]] as const;
    for (const [place, [status, code]] of codes.entries()) {
      const result = results[place];
      assert.ok("error" in result);
      assertProblemObject(result.error, status, code);
    }
  });

  test("sixteen pictures are answered in order, seventeen are refused", async () => {
    const sizes = await readSizes();
    const names = [...sizes.keys()].slice(0, 16);
    const results = await readResults(await post(await pictureForm(...names)));
    assert.deepEqual(
      results.map((result) => "image" in result && result.image),
      names.map((name) => sizes.get(name)),
    );
    const detail = await assertProblem(
      await post(await pictureForm(...names, "small.jpg")),
      400,
      "too-many-pictures",
    );
    assert.match(detail, /17.*16/);
  });

  test("a query holds for every picture of a multipart request", async () => {
    const response = await fetch(
      `${server.url}/v1/classify?taxonomy=primary&method=zero-shot&top=2`,
      {
        method: "POST",
        body: await pictureForm("storm.jpg", "rgba.png"),
      },
    );
    for (const result of await readResults(response)) {
      assert.ok("predictions" in result);
      assert.deepEqual(
        result.predictions.map(({ taxonomy, method, scores }) => [taxonomy, method, scores.length]),
        [["primary", "zero-shot", 2]],
      );
    }
  });

  test("/v1/embed takes multipart requests too", async () => {
    const response = await fetch(`${server.url}/v1/embed`, {
      method: "POST",
      body: await pictureForm("storm.jpg", "bad/notes.txt"),
    });
    const answer = await readAnswer(response, SCHEMAS.EmbedAnswer);
    assert.ok("results" in answer);
    assert.deepEqual(answer.results.map((result) => Object.keys(result)), [
      ["image", "embedding"],
      ["error"],
    ]);
  });

  test("a multipart body that is none is refused", async () => {
    const type = "multipart/form-data; boundary=line";
    const part = [
      "--line",
      'Content-Disposition: form-data; name="image"; filename="a"',
      "",
      "abc",
      "",
    ].join("\r\n");
    for (
      const [contentType, body] of [
        [type, storm],
        ["multipart/form-data", `${part}--line--\r\n`],
        [type, `${part}--line--\r\n`.replaceAll("line", "other")],
        // Cut off: some parsers would give the parts before the cut, and the caller would miss a result.
        [type, part],
        [type, part + part],
        [type, `${part}--line`],
      ] as const
    ) {
      const detail = await assertProblem(
        await post(body, { "Content-Type": contentType }),
        400,
        "malformed-multipart",
      );
      assert.match(detail, /boundary/);
    }
  });

  test("a multipart request without a part named image is refused", async () => {
    const form = new FormData();
    form.append("picture", new Blob([storm]), "storm.jpg");
    form.append("note", "hello");
    assert.match(await assertProblem(await post(form), 400, "no-picture"), /image/);
  });

  test("a part named image without a filename is refused, since its bytes are lost, and spoils no other", async () => {
    const form = new FormData();
    form.append("image", "not a file");
    form.append("image", new Blob([storm]), "storm.jpg");
    const { results } = await (await post(form)).json();
    assert.equal(results[0].error.code, "malformed-multipart");
    assert.match(results[0].error.detail, /filename/);
    assert.deepEqual(results[1].image, { width: 1024, height: 683 });
  });

  test("other parts of a multipart request are ignored", async () => {
    const form = new FormData();
    form.append("note", "hello");
    form.append("image", new Blob([storm]), "storm.jpg");
    form.append("other", new Blob([storm]), "storm.jpg");
    assert.equal((await readResults(await post(form))).length, 1);
  });

  test("a request without a body carries no picture", async () => {
    for (const path of ["/v1/classify", "/v1/embed"]) {
      const response = await fetch(`${server.url}${path}`, { method: "POST" });
      assert.match(await assertProblem(response, 400, "no-picture"), /body.*multipart.*image/);
    }
  });
}
