/**
 * Channels that can go without anything else having to: inside an inverted residual block, a channel is made by the kernel that
 * widens, goes through one of its own, and is read by the kernel that narrows.
 */

import type { OnnxConvolution, OnnxLayer, OnnxLayers } from "../onnx_layers.ts";

/** Channels inside of a block. */
export interface ChannelGroup {
  /** Makes them. */
  readonly maker: OnnxConvolution;
  /** What each of them goes through by itself. */
  readonly depthwise: readonly OnnxConvolution[];
  /** What reads all of them: a kernel of one pixel. */
  readonly reader: OnnxConvolution;
}

/**
 * Finds the channels that one layer makes and one layer reads, with depthwise kernels between.
 *
 * @param network which
 * @returns in the order of the network
 */
export function channelGroups({ layers, map }: OnnxLayers): ChannelGroup[] {
  const readersOf = (name: string) => layers.filter((layer) => inputsOf(layer).includes(name));
  return layers.flatMap((maker) => {
    if (maker.kind !== "convolution" || isDepthwise(maker)) return [];
    const depthwise: OnnxConvolution[] = [];
    for (let { name }: OnnxLayer = maker; name !== map;) {
      const [reader, ...others] = readersOf(name);
      if (others.length > 0 || reader.kind === "add") return [];
      if (reader.kind === "convolution") {
        if (isDepthwise(reader)) depthwise.push(reader);
        else {
          const isGroup = depthwise.length > 0 && reader.kernel.shape[2] === 1;
          return isGroup ? [{ maker, depthwise, reader }] : [];
        }
      }
      name = reader.name;
    }
    return [];
  });
}

function inputsOf(layer: OnnxLayer): readonly string[] {
  return layer.kind === "add" ? layer.inputs : [layer.input];
}

function isDepthwise({ kernel: { shape: [units, channels] } }: OnnxConvolution): boolean {
  return channels === 1 && units > 1;
}
