/**
 * Says what pictures evoke, in Node 20 or later. In a Node project that has the package:
 *
 *     node classify.mjs path/to/bundle photo.jpg ...
 *
 * With `npm install onnxruntime-node` the encoder runs natively, several times faster.
 */

import { createClassifier, folderSource } from "@clip-e/edge/node";
import { readFile } from "node:fs/promises";
import process from "node:process";

const [folder, ...pictures] = process.argv.slice(2);
const classifier = await createClassifier({ bundle: folderSource(folder) });
for (const picture of pictures) {
  const { predictions } = await classifier.classify(await readFile(picture));
  console.log(JSON.stringify({ picture, predictions }));
}
await classifier.close();
