/**
 * Students by their names, or by how large they are.
 */

import { TrainerError } from "../errors.ts";
import { sha256 } from "@clip-e/shared";
import { convStudent } from "./conv_student.ts";
import type { Cut } from "./cut/cut_once.ts";
import { readOnnxLayers } from "./onnx_layers.ts";
import { onnxStudent } from "./onnx_student.ts";
import type { FeatureScale, Student } from "./student.ts";
import { vitStudent } from "./vit_student.ts";

/** Those that have names, in the form of those that have none. */
export const STUDENTS: Readonly<Record<string, string>> = {
  "conv-small": "conv:112:32:96x2,192x3,384x2:512",
  "conv-tiny": "conv:96:24:64x2,128x3,256x3:512",
  "vit-tiny": "vit:96:12:192x6:3",
};

/** What the forms are, for help and errors. */
export const STUDENT_FORMS =
  "conv:SIZE:STEM:WIDTHxDEPTH,...:TOP, vit:SIZE:PATCH:WIDTHxDEPTH:HEADS, " +
  "onnx:FILE@SIZE[:KEEP] (a trained network, of whose work the share KEEP is left) or inherit:SIZE[:KEEP] (the teacher's own)";

/** A student that is only waiting to know its teacher. */
export interface StudentPlan {
  /** S, in pixels. */
  readonly size: number;
  /** What it depends on besides its name. */
  readonly digest: string;
  /**
   * Makes it.
   *
   * @param scale of the teacher's features
   * @param cut makes a trained network smaller, if it is to be
   */
  make(scale: FeatureScale, cut: Cut): Promise<Student>;
}

const ONNX = /^onnx:(.+)@(\d+)(?::(0?\.\d+|1))?$/s;

/**
 * Names the teacher where a student inherits from it.
 *
 * @param spec of a student
 * @param teacher its file
 */
export function nameTeacher(spec: string, teacher: string): string {
  return spec.replace(/^inherit:(?=\d)/, () => `onnx:${teacher}@`);
}

/**
 * Opens a student.
 *
 * @param spec a name of {@linkcode STUDENTS}, or one of the {@linkcode STUDENT_FORMS}
 * @param resolve makes an absolute path of one that the user gave
 * @param smaller the same student for smaller pictures: their side, in pixels
 * @throws {TrainerError} when there is no such student
 */
export async function openStudent(
  spec: string,
  resolve: (path: string) => string,
  smaller?: number,
): Promise<StudentPlan> {
  const [, path, own, share = "1"] = ONNX.exec(spec) ?? [];
  if (path === undefined) {
    const make = (scale: FeatureScale) => parseStudent(spec, scale, smaller);
    const { size } = make({ mean: new Float32Array(1), deviation: Float32Array.of(1) });
    return { size, digest: "", make: (scale) => Promise.resolve(make(scale)) };
  }
  const bytes = await Deno.readFile(resolve(path)).catch((cause) => {
    throw new TrainerError(`Cannot read the student ${path}: ${cause.message}`, { cause });
  });
  const size = smaller ?? Number(own);
  const keep = Number(share);
  const network = await readOnnxLayers(bytes, size, path);
  return {
    size,
    digest: await sha256(bytes),
    async make(scale, cut) {
      if (keep === 1) return onnxStudent(network, size, scale);
      const rest = await cut({ bytes, name: path, size: Number(own), keep });
      return onnxStudent(await readOnnxLayers(rest, size, path), size, scale);
    },
  };
}

/**
 * Makes a student that has learned nothing yet.
 *
 * @param spec a name of {@linkcode STUDENTS}, or one of the {@linkcode STUDENT_FORMS}
 * @param scale of the teacher's features
 * @param smaller the same student for smaller pictures: their side, in pixels
 * @throws {TrainerError} when there is no such student
 */
export function parseStudent(spec: string, scale: FeatureScale, smaller?: number): Student {
  const form = STUDENTS[spec] ?? spec;
  const refuse = (why: string) =>
    new TrainerError(
      `Cannot make the student ${spec}: ${why}. There is ${
        Object.keys(STUDENTS).join(", ")
      }, and ${STUDENT_FORMS}`,
    );
  const conv = /^conv:(\d+):(\d+):(\d+x\d+(?:,\d+x\d+)*):(\d+)$/.exec(form);
  if (conv) {
    const [own, stem, top] = [conv[1], conv[2], conv[4]].map(Number);
    const size = smaller ?? own;
    const stages = conv[3].split(",").map((stage) => {
      const [width, depth] = stage.split("x").map(Number);
      return { width, depth };
    });
    const step = 2 ** (stages.length + 1);
    if (size === 0 || size % step !== 0) throw refuse(`its size must be a multiple of ${step}`);
    if ([stem, top, ...stages.map(({ width }) => width)].some((width) => width === 0)) {
      throw refuse("a width of 0 lets nothing through");
    }
    if (stages.some(({ width }) => width % 2 !== 0)) throw refuse("its widths must be even");
    return convStudent({ size, stem, stages, top }, scale);
  }
  const vit = /^vit:(\d+):(\d+):(\d+)x(\d+):(\d+)$/.exec(form)?.slice(1).map(Number);
  if (vit) {
    if (smaller !== undefined) throw refuse("a transformer sees pictures of one size alone");
    const [size, patch, width, depth, heads] = vit;
    if (vit.includes(0)) throw refuse("none of its numbers may be 0");
    if (size % patch !== 0) throw refuse("its size must be a multiple of its patch");
    if (width % heads !== 0) throw refuse("its width must be a multiple of its heads");
    return vitStudent({ size, patch, width, depth, heads }, scale);
  }
  throw refuse("it is not known");
}
