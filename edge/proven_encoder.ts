/**
 * An encoder that may serve: one that reproduced the bundle's golden embedding on its backend.
 */

import {
  type Bundle,
  ClipEError,
  goldenInput,
  type ManifestEncoder,
  type PartFault,
  type Preprocessing,
  relativeDistance,
} from "@clip-e/shared";
import type { Backend } from "./backend/backend.ts";
import { readExternalData } from "./bundled_model.ts";
import { type Encoder, openEncoder } from "./encoder.ts";

/** An encoder that reproduced the golden embedding. */
export interface ProvenEncoder {
  /** Open. */
  readonly encoder: Encoder;
  /** What the manifest says of it. */
  readonly entry: ManifestEncoder;
  /** What runs it. */
  readonly backend: Backend;
  /** Those before it that did not. */
  readonly faults: readonly PartFault[];
}

/**
 * Opens the first encoder that proves itself, on the first backend that has one.
 *
 * @param bundle whose encoders
 * @param backends best first
 * @throws {ClipEError} `invalid-bundle`, when none does
 */
export async function openProvenEncoder(
  bundle: Bundle,
  backends: readonly Backend[],
): Promise<ProvenEncoder> {
  const faults: PartFault[] = [];
  for (const backend of backends) {
    for (const entry of encodersFor(backend, bundle.manifest.encoders)) {
      try {
        const externalData = await readExternalData(bundle, entry);
        const model = await bundle.readEncoder(entry);
        const encoder = await openEncoder(model, entry.input.crop, { backend, externalData });
        await proveEncoder(bundle, encoder, entry);
        return { encoder, entry, backend, faults };
      } catch (error) {
        faults.push(encoderFault(entry, backend, error));
      }
    }
  }
  const why = faults.length > 0
    ? faults.map(({ detail }) => detail).join("; ")
    : `none of its encoders is for the backend ${backends.map(describeBackend).join(" or ")}`;
  throw new ClipEError("invalid-bundle", `Cannot use the bundle ${bundle.manifest.name}: ${why}`);
}

/**
 * The fault of an encoder.
 *
 * @param entry what the manifest says of it
 * @param backend what ran it
 * @param error why it is not in use
 */
export function encoderFault(
  entry: ManifestEncoder,
  backend: Backend,
  error: unknown,
): PartFault {
  const detail = error instanceof Error ? error.message : String(error);
  return {
    part: `encoders/${entry.file.path}`,
    fault: "invalid",
    detail: `${detail} (on the backend ${backend.name})`,
  };
}

/**
 * The preprocessing that a manifest asks for.
 *
 * @param entry an encoder of the manifest
 */
export function preprocessingOf(entry: ManifestEncoder): Preprocessing {
  const { input, mean, std, interpolation, resizeMode } = entry;
  return { ...input, mean, std, interpolation, resizeMode };
}

/** What a backend runs, best first. */
function encodersFor(
  { name, takes = [name], precisions }: Backend,
  encoders: readonly ManifestEncoder[],
): ReadonlySet<ManifestEncoder> {
  const runs = encoders.filter(({ precision }) => precisions?.includes(precision) ?? true);
  return new Set(takes.flatMap((kind) => runs.filter((entry) => entry.backends.includes(kind))));
}

function describeBackend({ name, precisions }: Backend): string {
  return precisions ? `${name}, which runs ${precisions.join(" and ")}` : name;
}

async function proveEncoder(
  bundle: Bundle,
  encoder: Encoder,
  entry: ManifestEncoder,
): Promise<void> {
  const embedding = await encoder.encode(goldenInput(preprocessingOf(entry)));
  const distance = relativeDistance(embedding, bundle.goldenEmbedding);
  const { tolerance } = entry.parity ?? bundle.manifest.golden;
  if (distance <= tolerance) return;
  await encoder.close();
  throw new ClipEError(
    "invalid-bundle",
    `${entry.file.path} does not reproduce the golden embedding: it is off by ${
      distance.toPrecision(3)
    }, at most ${tolerance} is allowed`,
  );
}
