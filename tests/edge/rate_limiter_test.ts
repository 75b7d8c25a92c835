import assert from "node:assert/strict";
import { clientNetwork, forwardedAddress } from "../../edge/app/client_network.ts";
import { createRateLimiter } from "../../edge/app/rate_limiter.ts";
import { seededRandom } from "../random.ts";

Deno.test("createRateLimiter() lets each client on so many times in a minute", () => {
  let time = 0;
  const mayGoOn = createRateLimiter({ perMinute: 3, now: () => time });
  for (const client of ["a", "b"]) {
    assert.deepEqual([1, 2, 3, 4, 5].map(() => mayGoOn(client)), [true, true, true, false, false]);
  }
  time = 59_999;
  assert.ok(!mayGoOn("a"));
  time = 60_000;
  assert.deepEqual([1, 2, 3, 4].map(() => mayGoOn("a")), [true, true, true, false]);
});

Deno.test("createRateLimiter() lets nobody on more often than that in any minute, wherever it starts", () => {
  const random = seededRandom(7);
  const admitted = new Map<string, number[]>();
  let time = 0;
  let refused = 0;
  const mayGoOn = createRateLimiter({ perMinute: 5, now: () => time });
  for (let i = 0; i < 3000; i++) {
    time += random.integer(0, 8_000);
    const client = random.pick(["a", "b"]);
    const times = admitted.get(client) ?? [];
    const recent = times.filter((then) => then > time - 60_000);
    assert.equal(mayGoOn(client), recent.length < 5, `${client} at ${time}`);
    if (recent.length < 5) admitted.set(client, [...times, time]);
    else refused++;
  }
  assert.ok(refused > 100 && refused < 2900, `${refused} were refused`);
});

Deno.test("createRateLimiter() forgets whoever was let on longest ago, rather than to grow", () => {
  let time = 0;
  const mayGoOn = createRateLimiter({ perMinute: 2, maxRemembered: 5, now: () => time++ });
  for (const client of ["a", "a", "b", "b", "c"]) assert.ok(mayGoOn(client));
  assert.ok(!mayGoOn("a"));
  assert.ok(mayGoOn("d"), "the sixth: a is forgotten");
  assert.ok(!mayGoOn("b"));
  assert.ok(mayGoOn("a"));
});

const NETWORKS = [
  ["192.0.2.7", "192.0.2.7"],
  ["::ffff:192.0.2.7", "192.0.2.7"],
  ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"],
  ["2001:DB8:0001:2::1", "2001:db8:1:2::/64"],
  ["2001:db8::1", "2001:db8:0:0::/64"],
  ["2001:db8::1:2:3:4:5", "2001:db8:0:1::/64"],
  ["::1", "0:0:0:0::/64"],
  ["fe80::", "fe80:0:0:0::/64"],
] as const;

for (const [address, network] of NETWORKS) {
  Deno.test(`clientNetwork() counts ${address} as ${network}`, () => {
    assert.equal(clientNetwork(address), network);
  });
}

const FORWARDED = [
  [undefined, undefined],
  ["", undefined],
  ["192.0.2.7", "192.0.2.7"],
  ["198.51.100.1, 192.0.2.7", "192.0.2.7"],
  ["198.51.100.1,2001:db8::1", "2001:db8::1"],
  ["192.0.2.7:4711", "192.0.2.7"],
  ["[2001:db8::1]:4711", "2001:db8::1"],
  ["[2001:db8::1]", "2001:db8::1"],
] as const;

for (const [header, address] of FORWARDED) {
  Deno.test(`forwardedAddress() takes ${address} from X-Forwarded-For: ${header}`, () => {
    const headers = new Headers(header === undefined ? {} : { "X-Forwarded-For": header });
    assert.equal(forwardedAddress(headers), address);
  });
}
