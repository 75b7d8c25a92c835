/**
 * `deno task import-head`: a published Keras head into a bundle of the model that it was trained on.
 */

import {
  type ContrastiveHead,
  type CrossEntropyHead,
  findTaxonomy,
  type Head,
  type LabelName,
  sha256,
  type Taxonomy,
} from "@clip-e/shared";
import { type FlagValues, readCommandLine, UsageError } from "@clip-e/shared/command-line";
import { basename } from "node:path";
import { type BundleDraft, finishBundle, withHead, withMethod } from "./bundle/bundle_draft.ts";
import { readBundleFolder, writeBundleFolder } from "./bundle/bundle_folder.ts";
import { TrainerError } from "./errors.ts";
import { fail } from "./fail.ts";
import { readKerasHead } from "./keras_head.ts";
import { userPath } from "./user_path.ts";

const COMMAND = {
  name: "deno task import-head",
  positionals: "FILE",
  description:
    "Adds a head that was published as a Keras HDF5 file to a bundle. A cross-entropy head serves its taxonomy, a\n" +
    "contrastive one every taxonomy of the bundle that has prompts.",
  flags: {
    bundle: { kind: "string", value: "DIR", help: "The bundle, which is changed" },
    taxonomy: {
      kind: "string",
      value: "ID",
      help:
        "Of a cross-entropy head (default: polarity, primary or secondary, by its labels' number)",
    },
    trainedOn: {
      kind: "string",
      value: "MODEL",
      default: "openai/clip-vit-base-patch32",
      help: "The model whose embeddings the head was trained on, which must be the bundle's",
    },
    temperature: { kind: "number", min: 0, default: 1, help: "Divides the head's logits" },
    json: { kind: "boolean", help: "Print the summary as JSON" },
  },
} as const;

type Options = FlagValues<typeof COMMAND.flags>;

/** Published heads by the number of their output units; a single one is the logit of `positive`. */
const TAXONOMY_OF_UNITS: Readonly<Record<number, string>> = {
  1: "polarity",
  6: "primary",
  25: "secondary",
};

/** A head and the taxonomies that it serves in a bundle. */
interface Addition {
  readonly id: string;
  readonly head: Head;
  readonly taxonomies: readonly Taxonomy<LabelName>[];
}

/** The taxonomy as the bundle has it, or as the project does. */
function chooseTaxonomy({ manifest }: BundleDraft, id: string): Addition["taxonomies"][number] {
  const inBundle = manifest.taxonomies.find((taxonomy) => taxonomy.id === id);
  const known = findTaxonomy(id);
  if (!inBundle && !known) throw new TrainerError(`There is no taxonomy ${id}`);
  return {
    id,
    title: inBundle?.title ?? known?.title ?? id,
    labels: (inBundle ?? known)?.labels.map(({ id, title }) => ({ id, title })) ?? [],
  };
}

function addCrossEntropy(
  draft: BundleDraft,
  head: CrossEntropyHead,
  asked: string | undefined,
): Addition {
  const { units } = head.preds;
  const id = asked ?? TAXONOMY_OF_UNITS[units];
  if (id === undefined) {
    throw new TrainerError(`The head has ${units} outputs: say what they are with --taxonomy`);
  }
  const taxonomy = chooseTaxonomy(draft, id);
  const labels = taxonomy.labels.length;
  if (Math.max(units, 2) !== labels) {
    throw new TrainerError(
      `The head has ${units} outputs, and the taxonomy ${id} ${labels} labels`,
    );
  }
  return { id: `cross-entropy-${id}`, head, taxonomies: [taxonomy] };
}

function addContrastive(draft: BundleDraft, head: ContrastiveHead): Addition {
  const { prompts, embeddingSpace } = draft.manifest;
  if (prompts.length === 0) {
    throw new TrainerError(
      "A contrastive head answers by prompts, and the bundle has none: make it with deno task build",
    );
  }
  if (head.img_fc2.units !== embeddingSpace.size) {
    throw new TrainerError(
      `The head projects to ${head.img_fc2.units} numbers, and the prompts have ${embeddingSpace.size}`,
    );
  }
  const taxonomies = prompts.map(({ taxonomy }) => chooseTaxonomy(draft, taxonomy));
  return { id: "contrastive", head, taxonomies };
}

/** A size of 512 proves nothing: the bundle's space says of which model it is. */
function checkSpace(
  { manifest: { embeddingSpace } }: BundleDraft,
  head: Head,
  model: string,
): void {
  const { id, size } = embeddingSpace;
  if (id !== model && !id.startsWith(`${model}@`)) {
    throw new TrainerError(
      `The head was trained on ${model}, and the bundle's embeddings are of ${id}. If that is the same ` +
        "model, name it with --trained-on",
    );
  }
  if (head.img_fc1.inputs !== size) {
    throw new TrainerError(
      `The head takes ${head.img_fc1.inputs} numbers, and the bundle has ${size}`,
    );
  }
}

async function run(
  file: string,
  { bundle, taxonomy, trainedOn, temperature }: Options,
): Promise<{ bundle: string; digest: string; head: string; taxonomies: string[] }> {
  if (bundle === undefined) throw new UsageError("--bundle is needed");
  if (temperature === 0) throw new UsageError("--temperature must be above 0");
  const bytes = await Deno.readFile(userPath(file)).catch((cause) => {
    throw new TrainerError(`Cannot read ${file}: ${cause.message}`, { cause });
  });
  const head = await readKerasHead(bytes, file);
  const folder = userPath(bundle);
  const existing = await readBundleFolder(folder);
  if (!existing) throw new TrainerError(`There is no bundle in ${bundle}`);
  checkSpace(existing, head, trainedOn);

  const addition = head.kind === "cross-entropy"
    ? addCrossEntropy(existing, head, taxonomy)
    : addContrastive(existing, head);
  const origin = `imported from ${basename(file)}, SHA-256 ${await sha256(
    bytes,
  )}, trained on ${trainedOn}`;
  let draft = await withHead(existing, addition.id, head, origin);
  for (const served of addition.taxonomies) {
    draft = withMethod(draft, served, { method: head.kind, head: addition.id, temperature });
  }
  const files = await finishBundle(draft);
  await writeBundleFolder(folder, files);
  const manifest = files.get("manifest.json") ?? new Uint8Array();
  return {
    bundle: folder,
    digest: `sha256:${await sha256(manifest)}`,
    head: addition.id,
    taxonomies: addition.taxonomies.map(({ id }) => id),
  };
}

async function main(): Promise<void> {
  const line = readCommandLine(COMMAND, Deno.args);
  if ("help" in line) return console.log(line.help);
  const [file, ...others] = line.positionals;
  if (file === undefined || others.length > 0) throw new UsageError("Name one file");
  const report = await run(file, line.values);
  if (line.values.json) return console.log(JSON.stringify(report));
  console.log(`Bundle  ${report.bundle} (${report.digest.slice(0, 19)})`);
  console.log(`Head    ${report.head}, for ${report.taxonomies.join(", ")}`);
}

if (import.meta.main) await main().catch(fail);
