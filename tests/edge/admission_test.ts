import assert from "node:assert/strict";
import { createAdmission } from "../../edge/app/admission.ts";

const FULL = { name: "ClipEError", code: "queue-full" };

/** Tasks that stay inside until they are let go. */
function makeGate() {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { stay: () => promise, open: resolve };
}

Deno.test("createAdmission() lets in as many pictures as there are places, and no more", async () => {
  const admit = createAdmission(3);
  const gate = makeGate();
  const inside = [admit(1, gate.stay), admit(2, gate.stay)];
  await assert.rejects(admit(1, gate.stay), FULL);
  gate.open();
  await Promise.all(inside);
});

Deno.test("createAdmission() gives a place back when its task ends, well or badly", async () => {
  const admit = createAdmission(2);
  assert.equal(await admit(2, () => Promise.resolve("well")), "well");
  await assert.rejects(admit(2, () => Promise.reject(new Error("badly"))), { message: "badly" });
  await assert.rejects(
    admit(2, () => {
      throw new Error("at once");
    }),
    { message: "at once" },
  );
  const gate = makeGate();
  const inside = [admit(1, gate.stay), admit(1, gate.stay)];
  await assert.rejects(admit(1, gate.stay), FULL);
  gate.open();
  await Promise.all(inside);
});

Deno.test("createAdmission() lets a request of many pictures in when nobody else is inside", async () => {
  const admit = createAdmission(2);
  const gate = makeGate();
  const many = admit(16, gate.stay);
  await assert.rejects(admit(1, gate.stay), FULL);
  gate.open();
  await many;
  const one = makeGate();
  const inside = admit(1, one.stay);
  await assert.rejects(admit(2, one.stay), FULL, "two more than the places that are left");
  one.open();
  await inside;
});
