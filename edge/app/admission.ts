/**
 * Admission: how many pictures may be in the house at once. One that would wait too long is turned away at the door, so
 * that those inside are answered.
 */

import { ClipEError } from "@clip-e/shared";

/** Counts pictures in and out. */
export interface Admission {
  /**
   * Runs a task that holds pictures.
   *
   * @param count how many pictures
   * @throws {ClipEError} `queue-full`, when they have no room
   */
  <T>(count: number, task: () => Promise<T>): Promise<T>;
}

/**
 * Makes an admission.
 *
 * @param places pictures being computed or waiting
 */
export function createAdmission(places: number): Admission {
  let inside = 0;
  return async (count, task) => {
    // A request of many pictures on an idle server is let in whole, whatever the places.
    if (inside > 0 && inside + count > places) {
      throw new ClipEError("queue-full", "Too many pictures are waiting: try again in a moment");
    }
    inside += count;
    try {
      return await task();
    } finally {
      inside -= count;
    }
  };
}
