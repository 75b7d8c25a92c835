import assert from "node:assert/strict";
import { resolve } from "node:path";
import { userDataset, userPath } from "../../trainer/user_path.ts";

/** Runs with the folder that a user is in, or with none said. */
function calledFrom(folder: string | undefined, run: () => void): void {
  const before = Deno.env.get("INIT_CWD");
  const set = (value: string | undefined) =>
    value === undefined ? Deno.env.delete("INIT_CWD") : Deno.env.set("INIT_CWD", value);
  set(folder);
  try {
    run();
  } finally {
    set(before);
  }
}

Deno.test("userPath() starts at the folder that the task was called in", () =>
  calledFrom("/home/ada", () => {
    assert.equal(userPath("bundle"), "/home/ada/bundle");
    assert.equal(userPath("."), "/home/ada");
    assert.equal(userPath("../bob/x/"), "/home/bob/x");
    assert.equal(userPath("/srv/bundle"), "/srv/bundle");
  }));

Deno.test("userPath() starts at the current folder where no task was called", () =>
  calledFrom(undefined, () => assert.equal(userPath("bundle"), resolve("bundle"))));

Deno.test("userDataset() resolves the path behind the form, and leaves other words alone", () =>
  calledFrom("/home/ada", () => {
    assert.equal(userDataset("csv:labels.csv"), "csv:/home/ada/labels.csv");
    assert.equal(userDataset("folder:/srv/a:b"), "folder:/srv/a:b");
    assert.equal(userDataset("twitter1-3:T"), "twitter1-3:/home/ada/T");
    for (const odd of ["labels.csv", "csv:"]) assert.equal(userDataset(odd), odd);
  }));
