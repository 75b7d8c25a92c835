/**
 * CLIP's two towers as ONNX models of the true shapes with random weights, in the place of the real
 * ones, and what they should say in double precision.
 */

export { outlierChannels, type Outliers } from "./clip_towers/outliers.ts";
export { embedImage, embedText } from "./clip_towers/reference.ts";
export { CLIP_SHAPES, type ClipShape } from "./clip_towers/shapes.ts";
export { makeTextTower, type TextTowerOptions } from "./clip_towers/text_tower.ts";
export type { Tower, TowerOptions } from "./clip_towers/tower_graph.ts";
export { makeVisionTower } from "./clip_towers/vision_tower.ts";
export type { Weights } from "./clip_towers/weights.ts";
