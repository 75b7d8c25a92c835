/**
 * The page's script. `build.ts` bundles it with the library.
 */

import { createBrowserClassifier } from "@clip-e/edge/browser";

const input = document.querySelector("input");
const status = document.querySelector("[role=status]");

// A worker computes, so that the page stays alive.
const classifier = await createBrowserClassifier({ bundle: "bundle/", worker: "worker.js" });
status.textContent = "Choose a picture. It stays on this device.";
input.disabled = false;

input.addEventListener("change", async () => {
  const [file] = input.files;
  if (!file) return;
  try {
    const picture = new Uint8Array(await file.arrayBuffer());
    const { predictions } = await classifier.classify(picture);
    status.textContent = predictions
      .map(({ taxonomy, scores: [{ label, score }] }) =>
        `${taxonomy}: ${label} ${(score * 100).toFixed(1)} %`
      )
      .join(", ");
  } catch (error) {
    status.textContent = error.message;
  }
});
