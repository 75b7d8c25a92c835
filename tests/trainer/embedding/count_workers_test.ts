import assert from "node:assert/strict";
import { countWorkers } from "../../../trainer/embedding/count_workers.ts";

const GB = 1e9;

Deno.test("countWorkers() gives each core a worker where the encoder is small", () => {
  assert.equal(countWorkers(9e6, { cores: 16, memory: 16 * GB }), 16);
});

Deno.test("countWorkers() starts fewer where a large encoder would fill the memory, and always one", () => {
  const bytes = 352e6;
  assert.equal(countWorkers(bytes, { cores: 2, memory: 16 * GB }), 2);
  assert.equal(countWorkers(bytes, { cores: 16, memory: 8 * GB }), 4);
  assert.equal(countWorkers(bytes, { cores: 16, memory: GB / 10 }), 1);
});

Deno.test("countWorkers() knows this machine", () => {
  const workers = countWorkers(1000);
  assert.ok(workers >= 1 && workers <= navigator.hardwareConcurrency);
});
