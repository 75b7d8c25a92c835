import { ClipEError, type ErrorCode } from "@clip-e/shared";
import assert from "node:assert/strict";
import { readUpload, type UploadLimits } from "../../edge/app/upload.ts";

const LIMITS: UploadLimits = { maxBytes: 1000, maxPictures: 3, timeout: 1000 };

function request(body: BodyInit, contentType?: string): Request {
  const headers = new Headers();
  if (contentType !== undefined) headers.set("Content-Type", contentType);
  return new Request("http://localhost/", { method: "POST", body, headers });
}

function part(content: string, name = `name="image"; filename="a.jpg"`): string {
  return `--line\r\nContent-Disposition: form-data; ${name}\r\n\r\n${content}\r\n`;
}

async function readTexts(body: string, contentType: string): Promise<string[]> {
  const { isMultipart, pictures } = await readUpload(request(body, contentType), LIMITS);
  assert.ok(isMultipart);
  return pictures.map((picture) =>
    picture instanceof ClipEError ? picture.code : new TextDecoder().decode(picture)
  );
}

async function assertRefused(request: Request, code: ErrorCode, limits = LIMITS): Promise<void> {
  await assert.rejects(readUpload(request, limits), { name: "ClipEError", code });
}

Deno.test("readUpload() takes a body as one picture, whatever its type says", async () => {
  const bytes = Uint8Array.of(0, 255, 13, 10, 45, 45);
  for (const type of [undefined, "image/jpeg", "text/plain", "multipart/mixed; boundary=line"]) {
    const { isMultipart, pictures } = await readUpload(request(bytes, type), LIMITS);
    assert.equal(isMultipart, false);
    assert.deepEqual(pictures, [bytes]);
  }
});

Deno.test("readUpload() puts together a body that comes in pieces", async () => {
  const pieces = [Uint8Array.of(1), new Uint8Array(), Uint8Array.of(2, 3), Uint8Array.of(4)];
  const { pictures } = await readUpload(request(ReadableStream.from(pieces)), LIMITS);
  assert.deepEqual(pictures, [Uint8Array.of(1, 2, 3, 4)]);
});

Deno.test("readUpload() takes the parts named image of a multipart body, in order", async () => {
  const body = part("one") + part("none", `name="note"`) + part("two") + "--line--\r\n";
  assert.deepEqual(await readTexts(body, "multipart/form-data; boundary=line"), ["one", "two"]);
});

Deno.test("readUpload() knows a multipart body in whatever way its type is written", async () => {
  const body = `${part("one")}--line--`;
  for (
    const type of [
      `multipart/form-data; boundary="line"`,
      "Multipart/Form-Data;boundary=line",
      "multipart/form-data; charset=utf-8; boundary=line",
    ]
  ) {
    assert.deepEqual(await readTexts(body, type), ["one"], type);
  }
});

Deno.test("readUpload() ignores what surrounds a multipart body, as RFC 2046 asks", async () => {
  const body = `a preamble\r\n${part("one")}--line--\r\nan epilogue\r\n`;
  assert.deepEqual(await readTexts(body, "multipart/form-data; boundary=line"), ["one"]);
});

Deno.test("readUpload() keeps every byte of a part", async () => {
  const bytes = Uint8Array.from({ length: 512 }, (_, i) => i);
  const form = new FormData();
  form.append("image", new Blob([bytes]), "a");
  const { pictures } = await readUpload(request(form), LIMITS);
  assert.deepEqual(pictures, [bytes]);
});

Deno.test("readUpload() refuses a multipart body that is cut off anywhere", async () => {
  const type = "multipart/form-data; boundary=line";
  const body = `${part("one")}${part("two")}--line--`;
  for (let length = 1; length < body.length; length++) {
    await assertRefused(request(body.slice(0, length), type), "malformed-multipart");
  }
  assert.deepEqual(await readTexts(body, type), ["one", "two"]);
});

Deno.test("readUpload() refuses a multipart body without a boundary, or with another", async () => {
  const body = `${part("one")}--line--`;
  for (const boundary of ["", "; boundary=", "; boundary=other", "; boundary=lin"]) {
    await assertRefused(request(body, `multipart/form-data${boundary}`), "malformed-multipart");
  }
});

Deno.test("readUpload() refuses an image part without a filename, and takes the others", async () => {
  const body = `${part("one", `name="image"`)}${part("two")}--line--`;
  assert.deepEqual(await readTexts(body, "multipart/form-data; boundary=line"), [
    "malformed-multipart",
    "two",
  ]);
});

Deno.test("readUpload() refuses a body of very many parts before it is parsed", async () => {
  const body = `${part("x", `name="note"`).repeat(1000)}${part("two")}--line--`;
  const limits = { ...LIMITS, maxBytes: 1_000_000 };
  await assertRefused(
    request(body, "multipart/form-data; boundary=line"),
    "malformed-multipart",
    limits,
  );
});

Deno.test("readUpload() tells of the bytes as they come, and stops when told to", async () => {
  const counts: number[] = [];
  const onBytes = (count: number) => {
    counts.push(count);
    if (counts.length === 3) throw new ClipEError("queue-full", "full");
  };
  const pieces = ReadableStream.from(Array.from({ length: 9 }, () => new Uint8Array(100)));
  await assertRefused(request(pieces), "queue-full", { ...LIMITS, onBytes });
  assert.deepEqual(counts, [100, 100, 100]);
});

Deno.test("readUpload() refuses what carries no picture", async () => {
  const type = "multipart/form-data; boundary=line";
  await assertRefused(new Request("http://localhost/", { method: "POST" }), "no-picture");
  await assertRefused(request(new Uint8Array()), "no-picture");
  await assertRefused(request("--line--\r\n", type), "no-picture");
  await assertRefused(request(`${part("one", `name="note"`)}--line--`, type), "no-picture");
});

Deno.test("readUpload() counts pictures, up to the most that are allowed", async () => {
  const type = "multipart/form-data; boundary=line";
  assert.equal((await readTexts(`${part("x").repeat(3)}--line--`, type)).length, 3);
  await assertRefused(request(`${part("x").repeat(4)}--line--`, type), "too-many-pictures");
});

Deno.test("readUpload() counts bytes, up to the most that are allowed", async () => {
  const pieces = (count: number) =>
    ReadableStream.from(Array.from({ length: count }, () => new Uint8Array(100)));
  const { pictures } = await readUpload(request(pieces(10)), LIMITS);
  const [picture] = pictures;
  assert.ok(picture instanceof Uint8Array);
  assert.equal(picture.length, 1000);
  await assertRefused(request(pieces(11)), "too-many-bytes");
});

Deno.test("readUpload() stops reading when there are too many bytes", async () => {
  let given = 0;
  let isCancelled = false;
  const endless = new ReadableStream({
    pull: (controller) => controller.enqueue(new Uint8Array(100).fill(given++)),
    cancel: () => {
      isCancelled = true;
    },
  });
  await assertRefused(request(endless), "too-many-bytes");
  assert.ok(isCancelled);
  assert.ok(given < 20, `${given} pieces were read`);
});

Deno.test("readUpload() refuses by Content-Length before it reads", async () => {
  let isRead = false;
  const body = new ReadableStream({
    pull: () => {
      isRead = true;
    },
  }, { highWaterMark: 0 });
  const told = new Request("http://localhost/", { method: "POST", body });
  const headers = new Headers({ "Content-Length": "1001" });
  // Requests that a program makes may not state a length; those that a server receives do.
  await assertRefused(
    new Proxy(told, {
      get: (target, key) => key === "headers" ? headers : Reflect.get(target, key, target),
    }),
    "too-many-bytes",
  );
  assert.equal(isRead, false);
});

Deno.test("readUpload() gives up a body that does not come to its end in time", async () => {
  let isCancelled = false;
  const stuck = new ReadableStream({
    start: (controller) => controller.enqueue(new Uint8Array(1)),
    cancel: () => {
      isCancelled = true;
    },
  });
  await assertRefused(request(stuck), "upload-timeout", { ...LIMITS, timeout: 20 });
  assert.ok(isCancelled);
});

Deno.test("readUpload() says that an upload broke off", async () => {
  const broken = new ReadableStream({
    start: (controller) => controller.error(new TypeError("the connection was reset")),
  });
  await assertRefused(request(broken), "no-picture");
});
