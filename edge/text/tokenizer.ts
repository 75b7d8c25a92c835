/**
 * Text to token ids, by a model's own `tokenizer.json`, padded or cut to the length that its text encoder takes.
 */

import { Tokenizer } from "@huggingface/tokenizers";

/** What a model hub says of a tokenizer. */
export interface TokenizerFiles {
  /** Parsed `tokenizer.json`. */
  readonly tokenizer: object;
  /** Parsed `tokenizer_config.json`. */
  readonly config: Readonly<Record<string, unknown>>;
}

/** Tokens of one text, `contextLength` of each. */
export interface Tokens {
  /** Token ids. */
  readonly ids: readonly number[];
  /** 1 at the text's own tokens, 0 at padding. */
  readonly mask: readonly number[];
}

/** Tokenizes one text. */
export type Tokenize = (text: string) => Tokens;

/**
 * Makes a tokenizer.
 *
 * @param files of the model
 * @param contextLength how many tokens the text encoder takes: 77 for CLIP, 64 for SigLIP
 * @throws {Error} when the files do not make a tokenizer
 */
export function createTokenizer(files: TokenizerFiles, contextLength: number): Tokenize {
  const tokenizer = new Tokenizer(files.tokenizer, files.config);
  const padding = paddingId(tokenizer, files.config);
  return (text) => {
    const { ids: all } = tokenizer.encode(text);
    // A text that is too long keeps its start and the closing token, where CLIP reads the text's embedding.
    const ids = all.length > contextLength
      ? [...all.slice(0, contextLength - 1), all[all.length - 1]]
      : all;
    const missing = contextLength - ids.length;
    return {
      ids: [...ids, ...new Array<number>(missing).fill(padding)],
      mask: [...new Array<number>(ids.length).fill(1), ...new Array<number>(missing).fill(0)],
    };
  };
}

function paddingId(tokenizer: Tokenizer, config: TokenizerFiles["config"]): number {
  const token = config.pad_token;
  const content = typeof token === "object" && token !== null && "content" in token
    ? token.content
    : token;
  const id = typeof content === "string" ? tokenizer.token_to_id(content) : undefined;
  if (id === undefined) throw new Error("Cannot make a tokenizer: its config names no pad_token");
  return id;
}
