/**
 * The model that all contenders load: CLIP ViT-B/32 in its true shape with random weights, as it is or quantised to signed
 * 8-bit integers by the project's own quantiser, in the hub's layout.
 */

import { CLIP_PREPROCESSING } from "@clip-e/shared";
import {
  layOutModel,
  NO_EXTERNAL_DATA,
  type OnnxModel,
  quantizeModel,
  readModel,
} from "../../../trainer/quantize/mod.ts";
import { CLIP_SHAPES, makeTextTower, makeVisionTower } from "../../clip_towers.ts";
import { mergeTowers } from "../../clip_towers/merge_towers.ts";
import { LOGIT_SCALE, type Precision } from "./contender.ts";

const SHAPE = CLIP_SHAPES["vit-b-32"];

/** What the library adds to a file's name. */
const SUFFIX: Readonly<Record<Precision, string>> = { int8: "_int8", fp32: "" };

/**
 * Writes the model.
 *
 * @param folder that does not exist
 * @param precision of the weights
 * @param tokenizer a folder with CLIP's `tokenizer.json` and `tokenizer_config.json`
 */
export async function writeModelFolder(
  folder: string,
  precision: Precision,
  tokenizer: string,
): Promise<void> {
  await Deno.mkdir(`${folder}/onnx`, { recursive: true });
  for (const name of ["tokenizer.json", "tokenizer_config.json"]) {
    await Deno.writeFile(`${folder}/${name}`, await Deno.readFile(`${tokenizer}/${name}`));
  }
  await writeConfigs(folder);
  const vision = await convert(makeVisionTower(SHAPE).model, precision);
  const text = await convert(makeTextTower(SHAPE, { attentionMask: true }).model, precision);
  const proto = mergeTowers(vision.proto, text.proto, SHAPE.projection, LOGIT_SCALE);
  const models = {
    model: { proto, external: NO_EXTERNAL_DATA },
    vision_model: vision,
    text_model: text,
  };
  for (const [name, model] of Object.entries(models)) {
    const file = `${name}${SUFFIX[precision]}.onnx`;
    await writeModel(`${folder}/onnx/${file}`, model);
    // What `deno task build` looks for.
    if (file !== `${name}.onnx`) await Deno.symlink(file, `${folder}/onnx/${name}.onnx`);
  }
}

async function convert(bytes: Uint8Array<ArrayBuffer>, precision: Precision): Promise<OnnxModel> {
  const model = { proto: readModel(bytes), external: NO_EXTERNAL_DATA };
  if (precision === "fp32") return model;
  return (await quantizeModel(model, { mode: "int8-dynamic" })).model;
}

async function writeModel(path: string, model: OnnxModel): Promise<void> {
  await Deno.writeFile(path, ReadableStream.from(layOutModel(model).model()));
}

async function writeConfigs(folder: string): Promise<void> {
  const { vision, text, projection } = SHAPE;
  const { resize, crop, mean, std } = CLIP_PREPROCESSING;
  const files = {
    "config.json": {
      architectures: ["CLIPModel"],
      model_type: "clip",
      projection_dim: projection,
      text_config: { model_type: "clip_text_model", max_position_embeddings: text.context },
      vision_config: { model_type: "clip_vision_model", image_size: vision.image },
    },
    "preprocessor_config.json": {
      image_processor_type: "CLIPImageProcessor",
      do_resize: true,
      size: { shortest_edge: resize },
      resample: 3,
      do_center_crop: true,
      crop_size: { height: crop, width: crop },
      do_rescale: true,
      rescale_factor: 1 / 255,
      do_normalize: true,
      image_mean: mean,
      image_std: std,
      do_convert_rgb: true,
    },
  };
  for (const [name, content] of Object.entries(files)) {
    await Deno.writeTextFile(`${folder}/${name}`, JSON.stringify(content));
  }
}
