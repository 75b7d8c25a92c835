/**
 * CLIP's tokenizer, written plainly from its published description (byte-level BPE with an end-of-word mark; Radford et al.
 * 2021, Sennrich et al. 2016), to hold the library against. It uses the vocabulary and merges of a `tokenizer.json` and
 * nothing else of it.
 */

/** The parts of `tokenizer.json` that are needed. */
export interface BpeFile {
  readonly model: {
    readonly vocab: Readonly<Record<string, number>>;
    readonly merges: readonly (string | readonly [string, string])[];
  };
}

const WORDS =
  /<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|\p{L}+|\p{N}|[^\s\p{L}\p{N}]+/gu;

/** Bytes as printable characters: those that are printable stand for themselves, the others are moved up from 256. */
function byteAlphabet(): string[] {
  const isPrintable = (b: number) =>
    (b >= 33 && b <= 126) || (b >= 161 && b <= 172) || (b >= 174 && b <= 255);
  let moved = 256;
  return Array.from({ length: 256 }, (_, b) => String.fromCharCode(isPrintable(b) ? b : moved++));
}

/**
 * Ids of a text between the start and end tokens, unpadded and uncut.
 *
 * @param file vocabulary and merges
 * @param text any
 */
export function plainClipIds({ model }: BpeFile, text: string): number[] {
  const ranks = new Map(
    model.merges.map((m, rank) => [typeof m === "string" ? m : m.join(" "), rank] as const),
  );
  const alphabet = byteAlphabet();
  const clean = text.normalize("NFC").replace(/\s+/g, " ").toLowerCase();
  const ids = [model.vocab["<|startoftext|>"]];
  for (const [word] of clean.matchAll(WORDS)) {
    if (/^<\|(start|end)oftext\|>$/.test(word)) {
      ids.push(model.vocab[word]);
      continue;
    }
    let parts = Array.from(new TextEncoder().encode(word), (byte) => alphabet[byte]);
    parts[parts.length - 1] += "</w>";
    while (parts.length > 1) {
      const pairs = parts.slice(1).map((part, i) => `${parts[i]} ${part}`);
      const best = pairs.reduce((a, b) =>
        (ranks.get(b) ?? Infinity) < (ranks.get(a) ?? Infinity) ? b : a
      );
      if (!ranks.has(best)) break;
      const [left, right] = best.split(" ");
      const merged: string[] = [];
      for (let i = 0; i < parts.length; i++) {
        if (parts[i] === left && parts[i + 1] === right) {
          merged.push(left + right);
          i++;
        } else merged.push(parts[i]);
      }
      parts = merged;
    }
    for (const part of parts) ids.push(model.vocab[part] ?? model.vocab["<|endoftext|>"]);
  }
  return [...ids, model.vocab["<|endoftext|>"]];
}
