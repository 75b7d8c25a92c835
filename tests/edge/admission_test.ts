import assert from "node:assert/strict";
import { createAdmission } from "../../edge/app/admission.ts";

const FULL = { name: "ClipEError", code: "queue-full" };

Deno.test("createAdmission() lets in as many pictures as there are places", () => {
  const enter = createAdmission(3, 1000);
  const [one, two] = [enter(), enter()];
  one.addPictures(1);
  two.addPictures(2);
  assert.throws(() => enter().addPictures(1), FULL);
  one.leave();
  enter().addPictures(1);
});

Deno.test("createAdmission() lets in as many bytes as there is room for, as they come", () => {
  const enter = createAdmission(3, 100);
  const [one, two] = [enter(), enter()];
  one.addBytes(60);
  two.addBytes(30);
  two.addBytes(10);
  assert.throws(() => two.addBytes(1), FULL);
  one.leave();
  two.addBytes(1);
});

Deno.test("createAdmission() lets a request in whole when the house is empty", () => {
  const enter = createAdmission(2, 100);
  const large = enter();
  large.addBytes(80);
  large.addBytes(80);
  large.addPictures(16);
  assert.throws(() => enter().addPictures(1), FULL);
  assert.throws(() => enter().addBytes(1), FULL);
});

Deno.test("createAdmission() gives back what a request holds, once", () => {
  const enter = createAdmission(2, 100);
  const [one, two] = [enter(), enter()];
  one.addPictures(1);
  two.addPictures(1);
  one.leave();
  one.leave();
  enter().addPictures(1);
  assert.throws(() => enter().addPictures(1), FULL);
});
