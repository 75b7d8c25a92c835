import assert from "node:assert/strict";
import { createDecoders, type KeepOptions } from "../../edge/decode/decoders.ts";
import { readPicture } from "../golden_file.ts";

type Type = "jpeg" | "png" | "webp";
const PICTURES = { jpeg: "small.jpg", png: "rgba.png", webp: "lossy.webp" } as const;

/** Decodes one picture of each type after another, and counts how many instances that took. */
async function countInstances(types: readonly Type[], options: KeepOptions): Promise<number> {
  const { Instance } = WebAssembly;
  let instances = 0;
  WebAssembly.Instance = new Proxy(Instance, {
    construct(target, args) {
      instances++;
      return Reflect.construct(target, args);
    },
  });
  try {
    const decoders = createDecoders(undefined, options);
    for (const type of types) {
      const { data, width, height } = await decoders[type](await readPicture(PICTURES[type]));
      assert.equal(data.length, width * height * 4);
    }
    return instances;
  } finally {
    WebAssembly.Instance = Instance;
  }
}

const IN_TURN: readonly Type[] = ["jpeg", "webp", "png", "jpeg", "webp", "png"];

Deno.test("createDecoders() keeps an instance of each type", async () => {
  assert.equal(await countInstances(IN_TURN, {}), 3);
});

Deno.test("createDecoders() lets an instance go that decoded more pixels than it may keep", async () => {
  assert.equal(await countInstances(["jpeg", "jpeg", "jpeg"], { keepPixels: 1000 }), 3);
});

Deno.test("createDecoders() lets the largest go, when there is room for fewer", async () => {
  // JPEG and WebP start with 16 MiB each: there is room for one of them, and for PNG, which is small.
  assert.equal(await countInstances(IN_TURN, { keepBytes: 20e6 }), 5);
  assert.equal(await countInstances(["jpeg", "png", "jpeg", "png"], { keepBytes: 20e6 }), 2);
});
