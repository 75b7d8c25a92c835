import {
  readSafetensors,
  readSafetensorsFile,
  type Tensor,
  writeSafetensors,
} from "@clip-e/shared";
import assert from "node:assert/strict";
import { seededRandom } from "../random.ts";

/** A file made by hand: any header, any body. */
function file(header: unknown, body: Uint8Array = new Uint8Array()): Uint8Array<ArrayBuffer> {
  const json = typeof header === "string" ? header : JSON.stringify(header);
  return fileOf(new TextEncoder().encode(json), body);
}

function fileOf(header: Uint8Array, body: Uint8Array): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(8 + header.length + body.length);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(header.length), true);
  bytes.set(header, 8);
  bytes.set(body, 8 + header.length);
  return bytes;
}

/** The header of a file, by the format's description. */
function headerOf(bytes: Uint8Array<ArrayBuffer>): { text: string; length: number } {
  const length = Number(new DataView(bytes.buffer).getBigUint64(0, true));
  return { text: new TextDecoder().decode(bytes.subarray(8, 8 + length)), length };
}

function entry(
  [from, to]: readonly [number, number],
  shape: readonly unknown[] = [(to - from) / 4],
  dtype: unknown = "F32",
) {
  return { dtype, shape, data_offsets: [from, to] };
}

Deno.test("readSafetensors() reads what writeSafetensors() wrote, to the bit", () => {
  const random = seededRandom(1);
  for (let round = 0; round < 100; round++) {
    const tensors: Record<string, Tensor> = {};
    for (let i = random.integer(0, 5); i > 0; i--) {
      const shape = Array.from({ length: random.integer(0, 4) }, () => random.integer(0, 4));
      const data = random.floats(shape.reduce((a, b) => a * b, 1)).map((v) => v * 1e6);
      tensors[random.pick(["w", "preds.bias", "Größe", "感情", "a b", "\u{1f642}"]) + i] = {
        shape,
        data,
      };
    }
    const read = readSafetensors(writeSafetensors(tensors));
    assert.deepEqual([...read.keys()], Object.keys(tensors).sort());
    for (const [name, tensor] of read) assert.deepEqual(tensor, tensors[name]);
  }
});

Deno.test("readSafetensors() keeps infinities, NaN, signed zeros and the smallest numbers", () => {
  const data = Float32Array.of(0, -0, Infinity, -Infinity, NaN, 2 ** -149, -(2 ** -126), 3.4e38);
  const read = readSafetensors(writeSafetensors({ x: { shape: [2, 4], data } })).get("x");
  assert.deepEqual(read, { shape: [2, 4], data });
});

Deno.test("writeSafetensors() writes a length, a JSON header and little-endian floats", () => {
  const bytes = writeSafetensors({
    b: { shape: [1, 2], data: Float32Array.of(1, -2) },
    a: { shape: [], data: Float32Array.of(0.5) },
  });
  const { text, length } = headerOf(bytes);
  assert.deepEqual(JSON.parse(text), {
    a: { dtype: "F32", shape: [], data_offsets: [0, 4] },
    b: { dtype: "F32", shape: [1, 2], data_offsets: [4, 12] },
  });
  assert.equal(text[0], "{");
  assert.deepEqual([...bytes.subarray(8 + length)], [0, 0, 0, 63, 0, 0, 128, 63, 0, 0, 0, 192]);
});

Deno.test("writeSafetensors() aligns the tensors to 8 bytes, whatever the names", () => {
  for (const name of ["", "a", "ab", "abc", "abcd", "é", "éé", "日本", "\u{1f642}", "naïve"]) {
    const bytes = writeSafetensors({ [name]: { shape: [1], data: Float32Array.of(7) } });
    const { text, length } = headerOf(bytes);
    assert.equal(length % 8, 0, name);
    assert.deepEqual(Object.keys(JSON.parse(text)), [name]);
    assert.equal(readSafetensors(bytes).get(name)?.data[0], 7);
  }
});

Deno.test("writeSafetensors() gives the same bytes whatever the order of the tensors", () => {
  const one = { shape: [1], data: Float32Array.of(1) };
  const two = { shape: [2], data: Float32Array.of(2, 3) };
  assert.deepEqual(writeSafetensors({ one, two }), writeSafetensors({ two, one }));
});

Deno.test("writeSafetensors() copies a view's own numbers, not all of its memory", () => {
  const data = Float32Array.of(1, 2, 3, 4).subarray(1, 3);
  assert.deepEqual(
    readSafetensors(writeSafetensors({ x: { shape: [2], data } })).get("x")?.data,
    Float32Array.of(2, 3),
  );
});

Deno.test("writeSafetensors() refuses a shape that does not fit its numbers", () => {
  assert.throws(() => writeSafetensors({ x: { shape: [2, 2], data: new Float32Array(3) } }), {
    name: "ClipEError",
    code: "invalid-bundle",
    message: /x has 3 numbers, its shape \[2, 2\] another count/,
  });
});

Deno.test("readSafetensors() widens every 16-bit float to its own value", () => {
  const body = new Uint8Array(Uint16Array.from({ length: 65536 }, (_, half) => half).buffer);
  const view = new DataView(body.buffer);
  const read = readSafetensors(file({ h: entry([0, 131072], [65536], "F16") }, body)).get("h");
  const differing = read?.data.findIndex((v, i) => !Object.is(v, view.getFloat16(i * 2, true)));
  assert.equal(differing, -1, "the 16-bit float that is widened wrongly");
});

Deno.test("readSafetensors() widens normal, subnormal and special 16-bit floats as IEEE 754 says", () => {
  const halves = {
    0x3c00: 1,
    0xc000: -2,
    0x3555: 0.333251953125,
    0x7bff: 65504,
    0x0400: 2 ** -14,
    0x03ff: 1023 * 2 ** -24,
    0x0001: 2 ** -24,
    0x8001: -(2 ** -24),
    0x0000: 0,
    0x8000: -0,
    0x7c00: Infinity,
    0xfc00: -Infinity,
    0x7e00: NaN,
  };
  for (const [half, expected] of Object.entries(halves)) {
    const body = Uint8Array.of(Number(half) & 255, Number(half) >> 8);
    const read = readSafetensors(file({ h: entry([0, 2], [], "F16") }, body)).get("h");
    assert.ok(Object.is(read?.data[0], expected), `${Number(half).toString(16)}: ${read?.data[0]}`);
  }
});

Deno.test("readSafetensors() reads from the middle of a larger buffer, at any alignment", () => {
  const bytes = writeSafetensors({ x: { shape: [2], data: Float32Array.of(1.5, -3) } });
  for (let shift = 0; shift < 9; shift++) {
    const larger = new Uint8Array(bytes.length + 20).fill(0xff);
    larger.set(bytes, shift);
    const read = readSafetensors(larger.subarray(shift, shift + bytes.length));
    assert.deepEqual(read.get("x")?.data, Float32Array.of(1.5, -3));
  }
});

Deno.test("readSafetensors() gives numbers of its own, which do not change with the file's bytes", () => {
  const bytes = writeSafetensors({ x: { shape: [1], data: Float32Array.of(5) } });
  const read = readSafetensors(bytes);
  bytes.fill(0);
  assert.equal(read.get("x")?.data[0], 5);
});

Deno.test("readSafetensors() takes tensors in any order of names, and leaves metadata alone", () => {
  const body = new Uint8Array(Float32Array.of(1, 2, 3).buffer);
  const header = {
    __metadata__: { format: "pt" },
    z: entry([0, 4]),
    a: entry([4, 12]),
    empty: entry([4, 4], [0, 7]),
  };
  const read = readSafetensors(file(header, body));
  assert.deepEqual([...read.keys()].sort(), ["a", "empty", "z"]);
  assert.deepEqual(read.get("z")?.data, Float32Array.of(1));
  assert.deepEqual(read.get("a")?.data, Float32Array.of(2, 3));
  assert.deepEqual(read.get("empty"), { shape: [0, 7], data: new Float32Array() });
});

Deno.test("readSafetensors() finds tensors wherever their offsets say, not in the header's order", () => {
  const random = seededRandom(3);
  for (let round = 0; round < 50; round++) {
    const names = ["a", "b", "c", "d", "e", "f"];
    const stored = names.toSorted(() => random.fraction() - 0.5);
    const offsets = new Map(stored.map((name, i) => [name, i * 4]));
    const header = Object.fromEntries(names.map((name) => {
      const from = offsets.get(name) ?? 0;
      return [name, entry([from, from + 4])];
    }));
    const body = new Uint8Array(Float32Array.from({ length: names.length }, (_, i) => i).buffer);
    const read = readSafetensors(file(header, body));
    assert.deepEqual(
      names.map((name) => read.get(name)?.data[0]),
      names.map((n) => stored.indexOf(n)),
    );
  }
});

Deno.test("readSafetensors() reads a file without tensors", () => {
  assert.equal(readSafetensors(file({})).size, 0);
});

/** A whole file with another header length than it has. */
function claiming(length: bigint): Uint8Array<ArrayBuffer> {
  const bytes = writeSafetensors({ x: { shape: [1], data: Float32Array.of(1) } });
  new DataView(bytes.buffer).setBigUint64(0, length, true);
  return bytes;
}

const FOUR = new Uint8Array(4);
const EIGHT = new Uint8Array(8);

/** Every way in which a file can be wrong, and what is said of it. */
const BROKEN: Readonly<Record<string, readonly [bytes: Uint8Array, why: RegExp]>> = {
  "no bytes": [new Uint8Array(), /it has only 0 bytes/],
  "less than a header length": [new Uint8Array(7), /it has only 7 bytes/],
  "a header length of 0": [claiming(0n), /its header is not JSON/],
  "a header that goes past the end": [claiming(10_000n), /its header claims 10000 bytes of/],
  "a header length of 17 MiB": [claiming(17n << 20n), /its header claims 17825792 bytes/],
  "a header length of 2^53 + 1": [claiming((1n << 53n) + 1n), /its header claims/],
  "the largest header length": [claiming((1n << 64n) - 1n), /its header claims/],
  "a truncated header": [file({ x: entry([0, 4]) }, FOUR).subarray(0, 30), /its header claims/],
  "a truncated body": [file({ x: entry([0, 4]) }, FOUR).subarray(0, -1), /x claims bytes 0 to 4/],
  "a header that is not JSON": [file("{x"), /its header is not JSON/],
  "a header that is not text": [fileOf(Uint8Array.of(0xff, 0xfe, 0), FOUR), /is not JSON/],
  "a header that is null": [file("null"), /its header is not a JSON object/],
  "a header that is a list": [file([]), /its header is not a JSON object/],
  "a header that is a number": [file(7), /its header is not a JSON object/],
  "an entry that is null": [file({ x: null }), /its entry for x is malformed/],
  "an entry that is a text": [file({ x: "F32" }), /its entry for x is malformed/],
  "an entry without offsets": [
    file({ x: { dtype: "F32", shape: [1] } }, FOUR),
    /its entry for x is malformed/,
  ],
  "an entry with three offsets": [
    file({ x: { dtype: "F32", shape: [1], data_offsets: [0, 4, 8] } }, EIGHT),
    /its entry for x is malformed/,
  ],
  "an entry with fractional offsets": [
    file({ x: { dtype: "F32", shape: [1], data_offsets: [0.5, 4.5] } }, EIGHT),
    /its entry for x is malformed/,
  ],
  "an entry with negative offsets": [file({ x: entry([-4, 0]) }, FOUR), /x is malformed/],
  "an entry without a shape": [
    file({ x: { dtype: "F32", data_offsets: [0, 4] } }, FOUR),
    /its entry for x is malformed/,
  ],
  "a shape that is no number": [file({ x: entry([0, 4], ["1"]) }, FOUR), /x is malformed/],
  "a negative shape": [file({ x: entry([0, 4], [-1, -1]) }, FOUR), /its entry for x is malformed/],
  "a fractional shape": [file({ x: entry([0, 4], [0.5, 2]) }, FOUR), /x is malformed/],
  "a type that is no text": [file({ x: entry([0, 4], [1], 32) }, FOUR), /x is malformed/],
  "a shape of too many numbers": [
    file({ x: entry([0, 4], [2]) }, FOUR),
    /x has 1 numbers, its shape \[2\] another count/,
  ],
  "a shape of too few numbers": [
    file({ x: entry([0, 8], []) }, EIGHT),
    /x has 2 numbers, its shape \[\] another count/,
  ],
  "a shape whose product is past all counting": [
    file({ x: entry([0, 4], Array.from({ length: 40 }, () => 2 ** 53 - 1)) }, FOUR),
    /another count/,
  ],
  "half a number": [file({ x: entry([0, 6], [1]) }, new Uint8Array(6)), /x has 1.5 numbers/],
  "offsets past the end": [file({ x: entry([0, 8]) }, FOUR), /x claims bytes 0 to 8/],
  "offsets far past the end": [
    file({ x: entry([2 ** 52, 2 ** 52 + 4], [1]) }, FOUR),
    /x claims bytes 4503599627370496 to 4503599627370500, which the file does not have/,
  ],
  "offsets backwards": [file({ x: entry([4, 0], [1]) }, FOUR), /x claims bytes 4 to 0/],
  "offsets that overlap": [
    file({ x: entry([0, 8]), y: entry([4, 8]) }, EIGHT),
    /y claims bytes 4 to 8, and the tensor before it ends at 8/,
  ],
  "two tensors at one place": [
    file({ x: entry([0, 4]), y: entry([0, 4]) }, FOUR),
    /y claims bytes 0 to 4, and the tensor before it ends at 4/,
  ],
  "a gap before the first tensor": [
    file({ x: entry([4, 8]) }, EIGHT),
    /x claims bytes 4 to 8, and the tensor before it ends at 0/,
  ],
  "a gap between tensors": [
    file({ x: entry([0, 4]), y: entry([8, 12]) }, new Uint8Array(12)),
    /y claims bytes 8 to 12, and the tensor before it ends at 4/,
  ],
  "bytes after the last tensor": [
    file({ x: entry([0, 4]) }, EIGHT),
    /its tensors end at 4, its bytes at 8/,
  ],
  "64-bit floats": [
    file({ x: entry([0, 8], [1], "F64") }, EIGHT),
    /x is of type F64, and only F32 and F16 are read/,
  ],
  "brain floats": [file({ x: entry([0, 2], [1], "BF16") }, new Uint8Array(2)), /of type BF16/],
  "a type named like a method of objects": [
    file({ x: entry([0, 4], [1], "toString") }, FOUR),
    /x is of type toString, and only F32 and F16 are read/,
  ],
};

for (const [what, [bytes, why]] of Object.entries(BROKEN)) {
  Deno.test(`readSafetensors() refuses ${what}`, () => {
    assert.throws(() => readSafetensors(bytes), (error) => {
      assert.ok(error instanceof Error);
      assert.deepEqual([error.name, Reflect.get(error, "code")], ["ClipEError", "invalid-bundle"]);
      assert.match(error.message, /^Cannot read safetensors: /);
      assert.match(error.message, why);
      return true;
    });
  });
}

Deno.test("readSafetensors() throws nothing but a ClipEError on damaged files", () => {
  const random = seededRandom(2);
  const whole = writeSafetensors({
    "img_fc1.kernel": { shape: [2, 3], data: random.floats(6) },
    "img_fc1.bias": { shape: [3], data: random.floats(3) },
  });
  for (let round = 0; round < 5000; round++) {
    const bytes = whole.slice(0, random.pick([whole.length, random.integer(0, whole.length)]));
    for (let i = random.integer(1, 3); i > 0 && bytes.length > 0; i--) {
      bytes[random.integer(0, bytes.length - 1)] = random.integer(0, 255);
    }
    try {
      readSafetensors(bytes);
    } catch (error) {
      assert.equal(error instanceof Error && error.name, "ClipEError", `${error}`);
    }
  }
});

Deno.test("readSafetensorsFile() reads floats, integers and metadata as they were written", () => {
  const floats = { shape: [2], data: Float32Array.of(1.5, -2) };
  const integers = { shape: [2, 2], data: Int32Array.of(-1, 0, 2 ** 31 - 1, -(2 ** 31)) };
  const bytes = writeSafetensors({ floats, integers }, { zeal: "Größe", about: "" });
  const read = readSafetensorsFile(bytes);
  assert.deepEqual(read.tensors, new Map([["floats", floats]]));
  assert.deepEqual(read.integers, new Map([["integers", integers]]));
  assert.deepEqual(read.metadata, new Map([["about", ""], ["zeal", "Größe"]]));
  assert.equal(JSON.parse(headerOf(bytes).text).integers.dtype, "I32");
});

Deno.test("writeSafetensors() gives the same bytes whatever the order of metadata, and none for none", () => {
  const x = { shape: [1], data: Float32Array.of(1) };
  assert.deepEqual(
    writeSafetensors({ x }, { a: "1", b: "2" }),
    writeSafetensors({ x }, { b: "2", a: "1" }),
  );
  assert.ok(!headerOf(writeSafetensors({ x }, {})).text.includes("__metadata__"));
});

Deno.test("writeSafetensors() copies a view's own integers, not all of its memory", () => {
  const data = Int32Array.of(1, 2, 3, 4).subarray(1, 3);
  const { integers } = readSafetensorsFile(writeSafetensors({ x: { shape: [2], data } }));
  assert.deepEqual(integers.get("x")?.data, Int32Array.of(2, 3));
});

Deno.test("readSafetensorsFile() leaves out metadata that is not text, and refuses other types", () => {
  const body = new Uint8Array(8);
  const mixed = { a: "text", b: 1, c: null };
  const read = readSafetensorsFile(file({ __metadata__: mixed, x: entry([0, 8]) }, body));
  assert.deepEqual(read.metadata, new Map([["a", "text"]]));
  assert.throws(() => readSafetensorsFile(file({ x: entry([0, 8], [1], "I64") }, body)), {
    code: "invalid-bundle",
    message: /x is of type I64, and only F32 and F16 are read as floats/,
  });
  assert.throws(() => readSafetensorsFile(file({ x: entry([0, 8], [3], "I32") }, body)), {
    code: "invalid-bundle",
    message: /x has 2 numbers, its shape \[3\] another count/,
  });
});

Deno.test("readSafetensors() refuses integers, of which it would not know what they count", () => {
  const data = Int32Array.of(1);
  assert.throws(() => readSafetensors(writeSafetensors({ x: { shape: [1], data } })), {
    code: "invalid-bundle",
    message: /x is of type I32, and only F32 and F16 are read/,
  });
});
