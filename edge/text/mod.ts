/**
 * The text door: words in, unit vectors of the pictures' space out.
 *
 * @module
 */

export { type OpenTextEncoder, openTextEncoder } from "./text_encoder.ts";
export { createTokenizer, type Tokenize, type TokenizerFiles, type Tokens } from "./tokenizer.ts";
