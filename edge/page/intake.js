// @ts-check
/// <reference lib="dom" />
/// <reference lib="dom.iterable" />
/**
 * The ways in: pictures are picked, dropped or pasted.
 *
 * @module
 */

import { part } from "./element.js";

/**
 * @param {(files: readonly File[]) => void} add hears of files, at least one
 */
export function takeIn(add) {
  const take = (/** @type {FileList | null | undefined} */ files) => {
    if (files?.length) add([...files]);
  };
  for (const id of ["pick", "snap"]) {
    const input = part(id, HTMLInputElement);
    input.addEventListener("change", () => {
      take(input.files);
      input.value = ""; // so that the same file can be picked again
    });
  }
  document.addEventListener("paste", (event) => take(event.clipboardData?.files));
  document.addEventListener("dragover", (event) => {
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    document.body.classList.add("dragging");
  });
  document.addEventListener("dragleave", (event) => {
    if (event.relatedTarget === null) document.body.classList.remove("dragging");
  });
  document.addEventListener("drop", (event) => {
    document.body.classList.remove("dragging");
    if (!event.dataTransfer?.files.length) return;
    event.preventDefault();
    take(event.dataTransfer.files);
  });
}
