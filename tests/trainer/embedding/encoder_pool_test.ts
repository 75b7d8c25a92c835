import assert from "node:assert/strict";
import { type Hand, HandLost } from "../../../trainer/embedding/encoder_hand.ts";
import { createEncoderPool, StartError } from "../../../trainer/embedding/encoder_pool.ts";

/** A hand that embeds by hand: `settle` ends the picture that it has. */
class FakeHand implements Hand {
  readonly size = 1;
  isLost = false;
  isEnded = false;
  settle: ((embedding: number | Error) => void) | undefined;

  embed(): ReturnType<Hand["embed"]> {
    assert.equal(this.settle, undefined, "two pictures at a time");
    return new Promise((resolve, reject) => {
      this.settle = (embedding) => {
        this.settle = undefined;
        if (embedding instanceof Error) return reject(embedding);
        resolve({ embedding: Float32Array.of(embedding), hash: 0n });
      };
    });
  }

  die(): void {
    this.isLost = true;
    this.settle?.(new HandLost("The worker died"));
  }

  end(): void {
    this.isEnded = true;
  }
}

/** A pool of fake hands, with all that were started. */
function makePool(workers: number) {
  const hands: FakeHand[] = [];
  const pool = createEncoderPool(workers, () => {
    const hand = new FakeHand();
    hands.push(hand);
    return Promise.resolve(hand);
  });
  return { pool, hands };
}

/** Lets promises settle. */
const turn = () => new Promise((resolve) => setTimeout(resolve));

Deno.test("createEncoderPool() starts workers only when there are pictures for them", async () => {
  const { pool, hands } = makePool(3);
  await turn();
  assert.equal(hands.length, 0);
  assert.equal(await pool.size(), 1);
  assert.equal(hands.length, 1);
  const pictures = [1, 2].map(() => pool.embed(new Uint8Array()));
  await turn();
  assert.equal(hands.length, 2);
  hands.forEach((hand, i) => hand.settle?.(i));
  await Promise.all(pictures);
  pool.close();
  assert.ok(hands.every(({ isEnded }) => isEnded));
});

Deno.test("createEncoderPool() has no more workers than it may, and the rest wait", async () => {
  const { pool, hands } = makePool(2);
  const embedded: number[] = [];
  const pictures = [0, 1, 2, 3].map(() =>
    pool.embed(new Uint8Array()).then(({ embedding }) => void embedded.push(embedding[0]))
  );
  for (let i = 0; i < 4; i++) {
    await turn();
    assert.equal(hands.length, 2);
    hands[i % 2].settle?.(i);
  }
  await Promise.all(pictures);
  assert.deepEqual(embedded, [0, 1, 2, 3]);
  pool.close();
});

Deno.test("createEncoderPool() replaces a worker that died, and says whose picture is lost", async () => {
  const { pool, hands } = makePool(1);
  const first = pool.embed(new Uint8Array());
  const second = pool.embed(new Uint8Array());
  await turn();
  hands[0].die();
  await assert.rejects(first, HandLost);
  await turn();
  assert.equal(hands.length, 2);
  hands[1].settle?.(7);
  assert.deepEqual((await second).embedding, Float32Array.of(7));
  pool.close();
});

Deno.test("createEncoderPool() keeps a worker whose picture was refused", async () => {
  const { pool, hands } = makePool(1);
  const refused = pool.embed(new Uint8Array());
  await turn();
  hands[0].settle?.(new Error("no picture"));
  await assert.rejects(refused, /no picture/);
  const next = pool.embed(new Uint8Array());
  await turn();
  hands[0].settle?.(1);
  await next;
  assert.equal(hands.length, 1);
  pool.close();
});

Deno.test("createEncoderPool() tells everyone who waits when no worker can be had", async () => {
  const cause = new Error("no such encoder");
  const pool = createEncoderPool(2, () => Promise.reject(cause));
  const waiting = [1, 2, 3].map(() => pool.embed(new Uint8Array()));
  for (const picture of waiting) {
    await assert.rejects(picture, (error) => error instanceof StartError && error.cause === cause);
  }
});

Deno.test("createEncoderPool() embeds nothing once it is closed", async () => {
  const { pool, hands } = makePool(1);
  const first = pool.embed(new Uint8Array());
  const waiting = pool.embed(new Uint8Array());
  await turn();
  pool.close();
  await assert.rejects(waiting, StartError);
  await assert.rejects(pool.embed(new Uint8Array()), StartError);
  hands[0].settle?.(1);
  await first;
  assert.equal(hands.length, 1);
});
