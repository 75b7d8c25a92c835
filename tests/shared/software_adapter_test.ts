/**
 * Adapters that are no GPUs, by what they say of themselves.
 */

import { type AdapterInfo, isSoftwareAdapter, nameAdapter } from "@clip-e/shared";
import assert from "node:assert/strict";

const PLAIN: AdapterInfo = { vendor: "", architecture: "", device: "", description: "" };

const SOFTWARE: Partial<AdapterInfo>[] = [
  { description: "llvmpipe (LLVM 15.0.6, 256 bits)" },
  { description: "SwiftShader Device (Subzero)" },
  { vendor: "google", architecture: "swiftshader" },
  { description: "Microsoft Basic Render Driver" },
  { description: "A GPU", isFallbackAdapter: true },
];

Deno.test("isSoftwareAdapter() knows adapters that compute on the CPU by their names or their word", () => {
  for (const info of SOFTWARE) {
    assert.ok(isSoftwareAdapter({ ...PLAIN, ...info }), JSON.stringify(info));
  }
  for (
    const description of ["NVIDIA L4", "Intel(R) Arc(tm) A770", "AMD Radeon RX 7900", "Warpcore 9"]
  ) {
    assert.ok(!isSoftwareAdapter({ ...PLAIN, description }), description);
  }
});

Deno.test("nameAdapter() says what there is to say", () => {
  const named = (info: Partial<AdapterInfo>) => nameAdapter({ ...PLAIN, ...info });
  assert.equal(named({ description: "NVIDIA L4", vendor: "nvidia" }), "NVIDIA L4");
  assert.equal(named({ vendor: "nvidia", architecture: "lovelace" }), "nvidia lovelace");
  assert.equal(named({}), "without a name");
});
