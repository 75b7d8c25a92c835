/**
 * Zero-shot scoring on real vectors: what CLIP ViT-B/32 makes of "a {noun}" for the 1,203 nouns of LVIS, from the metadata of
 * Detic. They lie in a folder `shared` beside the checkout; without them most tests here are skipped.
 */

import {
  type Bundle,
  cosineLogits,
  describeFile,
  MANIFEST_PATH,
  openBundle,
  type Prompts,
  writeManifest,
  writePrompts,
} from "@clip-e/shared";
import assert from "node:assert/strict";
import { describeTaxonomies } from "../../edge/model_info.ts";
import { type Score, scoreEmbedding } from "../../edge/score.ts";
import { makeSyntheticBundle } from "../synthetic_bundle.ts";

const CLIP = new URL("../../../shared/clip/", import.meta.url);
const COUNT = 1203;
const SIZE = 512;

/** A matrix of a NumPy file, row-major. */
interface NpyMatrix {
  readonly rows: number;
  readonly columns: number;
  readonly data: ArrayLike<number>;
}

/** Reads a matrix of 16- or 32-bit floats in C order. Source: NumPy's `numpy.lib.format`. */
function readNpy(bytes: Uint8Array<ArrayBuffer>): NpyMatrix {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  assert.equal(new TextDecoder().decode(bytes.subarray(1, 6)), "NUMPY");
  assert.equal(bytes[6], 1, "the format's version");
  const start = 10 + view.getUint16(8, true);
  const header = new TextDecoder().decode(bytes.subarray(10, start));
  assert.match(header, /'fortran_order': False/);
  const [, type] = header.match(/'descr': '<(f[24])'/) ?? [];
  const [, rows, columns] = header.match(/'shape': \((\d+), (\d+)\)/)?.map(Number) ?? [];
  const { buffer } = bytes.slice(start);
  const data = type === "f2" ? new Float16Array(buffer) : new Float32Array(buffer);
  assert.equal(data.length, rows * columns);
  return { rows, columns, data };
}

async function readShared(name: string): Promise<Uint8Array<ArrayBuffer> | undefined> {
  return await Deno.readFile(new URL(name, CLIP)).catch(() => undefined);
}

const file = await readShared("text_embeddings_lvis.npy");
const namesFile = await readShared("text_embeddings_lvis_names.json");
const ignore = !file || !namesFile;
if (ignore) console.warn(`skipped: CLIP's embeddings of LVIS are not in ${CLIP.pathname}`);

const names: readonly string[] = namesFile ? JSON.parse(new TextDecoder().decode(namesFile)) : [];
const embeddings: number[][] = [];
/** The same, of length 1. */
const directions: number[][] = [];
if (file) {
  const { rows, columns, data } = readNpy(file);
  assert.deepEqual([rows, columns, names.length], [COUNT, SIZE, COUNT]);
  for (let k = 0; k < rows; k++) {
    embeddings.push(Array.from({ length: columns }, (_, i) => data[k * columns + i]));
    directions.push(unit(embeddings[k]));
  }
}

function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  return Array.from(a).reduce((sum, v, i) => sum + v * b[i], 0);
}

function unit(vector: readonly number[]): number[] {
  const norm = Math.sqrt(dot(vector, vector));
  return vector.map((v) => v / norm);
}

function embeddingOf(name: string): number[] {
  const found = embeddings[names.indexOf(name)];
  assert.ok(found, `there is no ${name}`);
  return found;
}

/** The vectors as they come, 16-bit and of all lengths, in a file such as a converter might write. */
function writeHalfPrompts(): Uint8Array<ArrayBuffer> {
  const data = new Uint8Array(Float16Array.from(embeddings.flat()).buffer);
  const entry = { dtype: "F16", shape: [COUNT, SIZE], data_offsets: [0, data.length] };
  const header = new TextEncoder().encode(JSON.stringify({ prompts: entry }));
  const bytes = new Uint8Array(8 + header.length + data.length);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(header.length), true);
  bytes.set(header, 8);
  bytes.set(data, 8 + header.length);
  return bytes;
}

const WRITERS = {
  F32: () =>
    writePrompts({ count: COUNT, size: SIZE, vectors: Float32Array.from(directions.flat()) }),
  F16: writeHalfPrompts,
} as const;

/** A bundle whose one taxonomy is LVIS, written and read. */
async function openLvis(
  type: keyof typeof WRITERS,
): Promise<{ bundle: Bundle; prompts: Prompts }> {
  const { manifest, files } = await makeSyntheticBundle();
  const bytes = WRITERS[type]();
  const path = "prompts/lvis.safetensors";
  const written = writeManifest({
    ...manifest,
    heads: [],
    prompts: [{
      taxonomy: "lvis",
      embeddingSpace: manifest.embeddingSpace.id,
      texts: names.map((name) => [`a ${name}`]),
      file: await describeFile(path, bytes),
    }],
    taxonomies: [{
      id: "lvis",
      title: "LVIS",
      labels: names.map((title, i) => ({ id: `noun-${i}`, title })),
      methods: [{ method: "zero-shot", temperature: 1 / 100 }],
    }],
  });
  const all = new Map(files).set(path, bytes).set(MANIFEST_PATH, written);
  const bundle = await openBundle({ read: (path) => Promise.resolve(all.get(path)) });
  const prompts = bundle.prompts.get("lvis");
  assert.ok(prompts, JSON.stringify(bundle.faults));
  return { bundle, prompts };
}

/** The scores of a bundle's one taxonomy, highest first. */
function score(bundle: Bundle, embedding: Float32Array): readonly Score[] {
  const [taxonomy] = describeTaxonomies(bundle);
  const [{ method, temperature, available }] = taxonomy.methods;
  assert.ok(available);
  return scoreEmbedding(bundle, { taxonomy, method, temperature, degraded: false }, embedding)
    .scores;
}

/** The place of a label. */
function indexOf({ label }: Score): number {
  return Number(label.slice("noun-".length));
}

/** Nouns by how near they are, the nearest first. */
function nearest(query: readonly number[], prompts: Prompts): string[] {
  const cosines = cosineLogits(query, prompts);
  return names.map((name, k) => ({ name, cosine: cosines[k] }))
    .sort((a, b) => b.cosine - a.cosine)
    .map(({ name }) => name);
}

Deno.test("readNpy() reads both float types", () => {
  for (
    const [descr, data] of [["<f2", new Float16Array(2)], ["<f4", new Float32Array(2)]] as const
  ) {
    data.set([0.5, -3]);
    const header = `{'descr': '${descr}', 'fortran_order': False, 'shape': (1, 2), }\n`;
    const text = `NUMPY\x01\0${String.fromCharCode(header.length)}\0${header}`;
    const numbers = new Uint8Array(data.buffer);
    const bytes = Uint8Array.from([0x93, ...new TextEncoder().encode(text), ...numbers]);
    const matrix = readNpy(bytes);
    assert.deepEqual({ ...matrix, data: Array.from(matrix.data) }, {
      rows: 1,
      columns: 2,
      data: [0.5, -3],
    });
  }
});

for (const type of ["F32", "F16"] as const) {
  Deno.test({
    name: `openBundle() reads CLIP's prompt vectors from ${type} as unit vectors`,
    ignore,
    async fn() {
      const { prompts: { count, size, vectors } } = await openLvis(type);
      assert.deepEqual([count, size], [COUNT, SIZE]);
      for (const [k, expected] of directions.entries()) {
        const vector = vectors.subarray(k * SIZE, (k + 1) * SIZE);
        const norm = Math.sqrt(dot(vector, vector));
        assert.ok(Math.abs(norm - 1) < 1e-6, `${names[k]} has the length ${norm}`);
        const error = Math.max(...expected.map((v, i) => Math.abs(vector[i] - v)));
        assert.ok(error < 1e-7, `${names[k]} is off by ${error}`);
      }
    },
  });

  Deno.test({
    name: `cosineLogits() of CLIP's embeddings, read from ${type}, are those of double precision`,
    ignore,
    async fn() {
      const { prompts } = await openLvis(type);
      for (const query of ["cat", "airplane", "sofa"].map(embeddingOf)) {
        const cosines = cosineLogits(Float32Array.from(query), prompts);
        const error = Math.max(
          ...directions.map((d, k) => Math.abs(cosines[k] - dot(unit(query), d))),
        );
        assert.ok(error < 1e-6, `off by ${error}`);
      }
    },
  });
}

Deno.test({
  name: "cosineLogits() finds each noun nearest to itself, and then to what means much the same",
  ignore,
  async fn() {
    const { prompts } = await openLvis("F16");
    const pairs = [
      ["cat", "kitten"],
      ["puppy", "dog"],
      ["horse", "pony"],
      ["pony", "horse"],
      ["mug", "cup"],
      ["lime", "lemon"],
      ["boat", "yacht"],
      ["sofa", "sofa_bed"],
      ["violin", "guitar"],
      ["airplane", "jet_plane"],
    ];
    for (const [noun, neighbour] of pairs) {
      assert.deepEqual(nearest(embeddingOf(noun), prompts).slice(0, 2), [noun, neighbour]);
    }
  },
});

Deno.test({
  name: "scoreEmbedding() ranks animals first for the mean of a few, at CLIP's temperature",
  ignore,
  async fn() {
    const { bundle } = await openLvis("F32");
    const few = ["cat", "cow", "horse", "lion", "bear"].map((name) => unit(embeddingOf(name)));
    const mean = Float32Array.from(few[0], (_, i) => few.reduce((sum, v) => sum + v[i], 0) / 5);
    const start = performance.now();
    const scores = score(bundle, mean);
    const milliseconds = performance.now() - start;
    assert.ok(milliseconds < 500, `it took ${milliseconds} ms`);

    assert.equal(scores.length, COUNT);
    assert.ok(scores.every(({ score }) => score >= 0 && score <= 1));
    const total = scores.reduce((sum, { score }) => sum + score, 0);
    assert.ok(Math.abs(total - 1) < 1e-12, `the sum is ${total}`);

    const animals =
      "bear bird bull cat cow deer dog fish goat horse lion monkey pony rabbit rodent" +
      " sheep wolf";
    const first = scores.slice(0, 15).map((it) => names[indexOf(it)]);
    assert.deepEqual(first.filter((name) => !animals.split(" ").includes(name)), []);
    assert.deepEqual(first.slice(0, 5).sort(), ["bear", "cat", "cow", "horse", "lion"]);
  },
});

Deno.test({
  name: "scoreEmbedding() gives the softmax of double precision over all 1,203 nouns",
  ignore,
  async fn() {
    const { bundle } = await openLvis("F16");
    for (const name of ["pizza", "truck"]) {
      const query = embeddingOf(name);
      const powers = directions.map((d) => Math.exp(100 * (dot(unit(query), d) - 1)));
      const total = powers.reduce((a, b) => a + b);
      const scores = score(bundle, Float32Array.from(query));
      assert.equal(scores.length, COUNT);
      for (const it of scores) {
        const expected = powers[indexOf(it)] / total;
        // A cosine that is off by 1e-7 puts a score off by 1e-5 of itself.
        const error = Math.abs(it.score - expected) / expected;
        assert.ok(error <= 2e-5, `${names[indexOf(it)]} is off by ${error} of ${expected}`);
      }
    }
  },
});
