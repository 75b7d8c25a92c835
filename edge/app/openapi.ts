/**
 * The API's description, OpenAPI 3.1. The schemas document the answers that the app gives; a test holds them against it.
 */

import { OpenAPIHono, z } from "@hono/zod-openapi";
import { ERROR_CODES, type ErrorCode, NORMALIZATIONS } from "@clip-e/shared";
import { METHODS } from "../model_info.ts";
import { STATUS } from "./problem.ts";
import { SCORE_REQUEST } from "./score_request.ts";

const codes = Object.keys(ERROR_CODES) as [ErrorCode, ...ErrorCode[]];

const Problem = z.object({
  type: z.string().openapi({ example: "urn:clip-e:problem:truncated" }),
  title: z.string(),
  status: z.int(),
  detail: z.string(),
  code: z.enum(codes),
}).openapi("Problem", { description: "RFC 9457 problem details" });

const Model = z.object({
  name: z.string().openapi({ example: "nano" }),
  bundle: z.string().openapi({
    description: "Digest of the bundle's manifest",
    example: "sha256:9f86d0…",
  }),
}).openapi("Model");

const EmbeddingSpace = z.object({ id: z.string(), size: z.int() }).openapi("EmbeddingSpace", {
  description: "Embeddings of different spaces do not compare",
});

const ImageSize = z.object({ width: z.int(), height: z.int() })
  .openapi("ImageSize", { description: "Upright, in pixels" });

const Prediction = z.object({
  taxonomy: z.string().openapi({ example: "polarity" }),
  method: z.enum(METHODS),
  normalization: z.enum(NORMALIZATIONS).openapi({
    description: "Scores of all labels sum to 1 by `softmax`; by `sigmoid` each stands on its own",
  }),
  degraded: z.literal(true).optional().openapi({
    description: "A better method was passed over because something of it failed its check",
  }),
  scores: z.array(z.object({ label: z.string(), score: z.number() }))
    .openapi({ description: "Highest first, each in 0..1" }),
}).openapi("Prediction");

const Classified = z.object({ image: ImageSize, predictions: z.array(Prediction) })
  .openapi("Classified");
const Embedded = z.object({ image: ImageSize, embedding: z.array(z.number()) })
  .openapi("Embedded", { description: "As the encoder gives it, not normalised" });
const Failed = z.object({ error: Problem }).openapi("Failed");

/** One picture's answer, or a list of several, in order. */
function answer<T extends z.ZodObject>(one: T) {
  return z.union([
    one.extend({ model: Model }),
    z.object({ model: Model, results: z.array(z.union([one, Failed])) }),
  ]);
}

/** The schemas of the answers. */
export const SCHEMAS = {
  Problem,
  ClassifyAnswer: answer(Classified).openapi("ClassifyAnswer"),
  EmbedAnswer: z.union([
    Embedded.extend({ model: Model, embeddingSpace: EmbeddingSpace }),
    z.object({
      model: Model,
      embeddingSpace: EmbeddingSpace,
      results: z.array(z.union([Embedded, Failed])),
    }),
  ]).openapi("EmbedAnswer"),
  ModelAnswer: z.object({
    name: z.string(),
    bundle: z.string(),
    embeddingSpace: EmbeddingSpace,
    encoder: z.object({
      file: z.string(),
      precision: z.string(),
      backend: z.string(),
      crop: z.int(),
    }),
    taxonomies: z.array(z.object({
      id: z.string(),
      title: z.string(),
      labels: z.array(z.object({ id: z.string(), title: z.string() })),
      methods: z.array(z.object({
        method: z.enum(METHODS),
        temperature: z.number(),
        normalization: z.enum(NORMALIZATIONS),
        bias: z.number().optional(),
        available: z.boolean(),
        fault: z.enum(["missing", "invalid"]).optional(),
        figures: z.record(z.string(), z.number()).optional(),
        measured: z.string().optional(),
      })).openapi({ description: "Best first, by measured validation" }),
    })),
    servesLabels: z.literal(true).optional(),
    faults: z.array(z.object({
      part: z.string(),
      fault: z.enum(["missing", "invalid"]),
      detail: z.string(),
    })),
    provenance: z.record(z.string(), z.string()),
    license: z.string().openapi({ description: "Of the weights" }),
    modelCard: z.string().optional().openapi({ description: "Markdown" }),
  }).openapi("ModelAnswer"),
  ScoreAnswer: z.object({ model: Model, predictions: z.array(Prediction) }).openapi("ScoreAnswer"),
  ReadyAnswer: z.object({
    status: z.enum(["ready", "degraded"]),
    faults: z.array(z.object({ part: z.string(), fault: z.string(), detail: z.string() })),
  }).openapi("ReadyAnswer"),
};

const binary = { schema: { type: "string", format: "binary" } } as const;

function pictures(maxPictures: number) {
  return {
    required: true,
    content: {
      "image/jpeg": binary,
      "image/png": binary,
      "image/webp": binary,
      "multipart/form-data": {
        schema: {
          type: "object",
          required: ["image"],
          properties: {
            image: {
              type: "array",
              maxItems: maxPictures,
              items: { type: "string", format: "binary" },
            },
          },
        },
      },
    },
  } as const;
}

function json(schema: z.ZodType, description: string) {
  return { description, content: { "application/json": { schema } } };
}

/** The problems of some codes, by status. */
function problems(...of: ErrorCode[]) {
  const byStatus: Record<string, { description: string; content: Record<string, unknown> }> = {};
  for (const code of of) {
    const status = String(STATUS[code]);
    const line = `\`${code}\`: ${ERROR_CODES[code]}`;
    const known = byStatus[status]?.description;
    byStatus[status] = {
      description: known ? `${known}\n\n${line}` : line,
      content: { "application/problem+json": { schema: Problem } },
    };
  }
  return byStatus;
}

const CLASSIFY_QUERY = z.object({
  taxonomy: z.array(z.string()).optional().openapi({
    description: "Repeatable; by default all that the bundle serves",
  }),
  label: z.array(z.string()).optional().openapi({
    description:
      "Repeatable, 2 to 100: labels of your own, scored zero-shot in place of taxonomies, where the bundle " +
      "carries a text encoder (`servesLabels` of /v1/model). Each is its own prompt: `a photo of a dog`.",
  }),
  method: z.enum(["auto", "all", ...METHODS]).default("auto").openapi({
    description:
      "`auto` is the best that is available, `all` gives an answer by each, best first. A method asked for by name " +
      "is never replaced by another",
  }),
  top: z.int().min(1).optional().openapi({ description: "How many scores to give" }),
});

const queryProblems = [
  "invalid-parameter",
  "unknown-taxonomy",
  "unknown-method",
  "labels-not-served",
  "method-unavailable",
] as const satisfies ErrorCode[];

const uploadProblems = [
  "no-picture",
  "malformed-multipart",
  "too-many-pictures",
  "upload-timeout",
  "too-many-bytes",
  "unsupported-type",
  "undecodable",
  "truncated",
  "unsupported-colour",
  "too-many-pixels",
  "queue-full",
  "internal",
] as const satisfies ErrorCode[];

/** What the app asks of its callers beside good requests, and what it gives them beside answers. */
export interface ApiAccess {
  /** A bearer token, below `/v1/`. */
  readonly needsToken: boolean;
  /** Not too many requests, below `/v1/`. */
  readonly limitsRate: boolean;
  /** The bundle's files. */
  readonly servesBundle: boolean;
}

/** A file whole, or a part of it. */
const fileBody = (description: string) => ({
  description,
  content: { "application/octet-stream": binary, "application/json": { schema: {} } },
});

/**
 * Makes the description.
 *
 * @param maxPictures in a multipart upload
 * @param access what the app asks of its callers and gives them
 * @returns a document that goes to `/openapi.json` as it is
 */
export function describeApi(maxPictures: number, access: ApiAccess): object {
  const accessProblems: readonly ErrorCode[] = [
    ...(access.needsToken ? ["unauthorized"] as const : []),
    ...(access.limitsRate ? ["rate-limited"] as const : []),
  ];
  const api = new OpenAPIHono();
  const registry = api.openAPIRegistry;
  const token = access.needsToken && registry.registerComponent("securitySchemes", "token", {
    type: "http",
    scheme: "bearer",
  });
  const security = token ? { security: [{ [token.name]: [] }] } : {};
  registry.registerPath({
    method: "post",
    path: "/v1/classify",
    ...security,
    summary: "What a picture evokes",
    description:
      "The sentiment that a picture evokes in people who look at it, as raters gave it; not the feelings of people " +
      "shown in it. The picture's bytes decide its type. In a multipart request the error of one picture does not " +
      "spoil the others. `Server-Timing` says how long each part took.",
    request: {
      query: CLASSIFY_QUERY,
      body: pictures(maxPictures) as never,
    },
    responses: {
      200: json(SCHEMAS.ClassifyAnswer, "The answer"),
      ...problems(...uploadProblems, ...queryProblems, ...accessProblems),
    },
  });
  registry.registerPath({
    method: "post",
    path: "/v1/embed",
    ...security,
    summary: "A picture's embedding, its space and size",
    request: { body: pictures(maxPictures) as never },
    responses: {
      200: json(SCHEMAS.EmbedAnswer, "The answer"),
      ...problems(...uploadProblems, ...accessProblems),
    },
  });
  registry.registerPath({
    method: "post",
    path: "/v1/score",
    ...security,
    summary: "What an embedding evokes, without its picture",
    request: {
      query: CLASSIFY_QUERY,
      body: { required: true, content: { "application/json": { schema: SCORE_REQUEST } } },
    },
    responses: {
      200: json(SCHEMAS.ScoreAnswer, "The answer"),
      ...problems(
        "malformed-json",
        "invalid-embedding",
        "upload-timeout",
        "too-many-bytes",
        "queue-full",
        "internal",
        ...queryProblems,
        ...accessProblems,
      ),
    },
  });
  registry.registerPath({
    method: "get",
    path: "/v1/model",
    ...security,
    summary: "Taxonomies, methods, measured figures, provenance, licence",
    responses: { 200: json(SCHEMAS.ModelAnswer, "The model"), ...problems(...accessProblems) },
  });
  if (access.servesBundle) {
    registry.registerPath({
      method: "get",
      path: "/v1/bundle/{path}",
      ...security,
      summary: "A file of the bundle, to compute on the caller's own device",
      description:
        "`manifest.json`, and what it names: its paths may have slashes. `ETag` is the file's SHA-256; `If-None-Match` " +
        "and a single `Range` are honoured.",
      request: { params: z.object({ path: z.string().openapi({ example: "manifest.json" }) }) },
      responses: {
        200: fileBody("The file"),
        206: fileBody("The range of it that was asked for"),
        304: { description: "The caller has it" },
        ...problems("not-found", "unsatisfiable-range", "invalid-bundle", ...accessProblems),
      },
    });
  }
  registry.registerPath({
    method: "get",
    path: "/healthz",
    summary: "Whether the server answers",
    responses: {
      200: { description: "It does", content: { "text/plain": { schema: z.literal("ok") } } },
    },
  });
  registry.registerPath({
    method: "get",
    path: "/readyz",
    summary: "Whether it can classify, and which parts of the bundle are not in use",
    responses: { 200: json(SCHEMAS.ReadyAnswer, "It can") },
  });
  return api.getOpenAPI31Document({
    openapi: "3.1.0",
    info: {
      title: "CLIP-E",
      version: "1",
      description: "Visual sentiment analysis: a picture goes in, what it evokes comes out.",
      license: { name: "MIT" },
    },
    servers: [{ url: "." }],
  });
}
