// A measured row, and which rows are about the same work. This file is the authority on the format; bench/results/README.md
// describes it in words, and bench/peers/rows.py writes it too.
//
// Two rows are about the same work when their identities are equal: the kind of benchmark, the device, the dtype, the
// number of CPU threads, and what the kind adds (identityFields). System, variant and machine are not part of it: rows
// of equal identity are what is compared.
import { readFileSync } from "node:fs";
import type * as zod from "zod";
import { nearest, VideomaeError } from "../errors.js";
import { lazy } from "../lazy.js";
import { z } from "../zod.js";

/** The schemas of the rows: those with times, those with times or a verdict, and those that say what failed. */
const schemas = lazy(() => {
  const positive = z.number().positive();
  const count = z.number().int().min(1);
  const scalar = z.union([z.string(), z.number(), z.boolean()]);
  const facts = z.record(z.string(), scalar);
  const pass = z.enum(["forward", "forward+backward"]);

  const origin = {
    system: z.enum(["videomae", "pytorch"]),
    device: z.enum(["cpu", "cuda"]),
    /** CPU threads; rows of a GPU have none. */
    threads: count.optional(),
    /** What a person calls the work, e.g. "B encoder fc1". */
    name: z.string().optional(),
    /** How the system did it: mode, backend, kernels. */
    variant: facts.optional(),
    machine: z.object({ name: z.string().min(1) }).catchall(scalar),
    versions: facts.optional(),
    date: z.iso.datetime(),
    commit: z.string().optional(),
    /** Which round, where runs of two systems alternated. */
    round: count.optional(),
    /** Tiny shapes: shows that a benchmark runs, and is never shown as a result. */
    quick: z.boolean().optional(),
    note: z.string().optional(),
    /** Cores that other processes kept busy during the measurement. */
    otherCores: z.number().min(0).optional(),
  };

  const timed = {
    ...origin,
    dtype: z.enum(["f32", "tf32", "bf16", "f64", "u8"]),
    medianMs: positive,
    minMs: positive,
    maxMs: positive,
    repeats: count,
    /** The middle half of all times, from end to end, as a part of the median. */
    noise: z.number().min(0).optional(),
  };

  const step = z.strictObject({
    bench: z.literal("step"),
    ...timed,
    model: z.string(),
    clips: count,
    decoderMaskRatio: z.number().min(0).lt(1),
    /** The batch that was asked for and did not fit. */
    clipsAsked: count.optional(),
    clipsPerSecond: positive,
    gflopPerSecond: positive,
    firstStepSeconds: z.number().optional(),
    loss: z.number().optional(),
    liveBytes: z.number().optional(),
    peakBytes: z.number().optional(),
    arenaBytes: z.number().optional(),
    reservedBytes: z.number().optional(),
    /** The most resident memory of the process, and what it had after its imports. */
    residentBytes: z.number().optional(),
    startBytes: z.number().optional(),
    parameters: count.optional(),
  });

  const classifier = z.strictObject({
    bench: z.literal("classifier"),
    ...timed,
    pass,
    model: z.string(),
    clips: count,
    clipsPerSecond: positive,
  });

  const attention = z.strictObject({
    bench: z.literal("attention"),
    ...timed,
    pass,
    clips: count,
    heads: count,
    tokens: count,
    headWidth: count,
    gflopPerSecond: positive,
  });

  const gemm = z.strictObject({
    bench: z.literal("gemm"),
    ...timed,
    m: count,
    n: count,
    k: count,
    /** Whether A and B of C = A B lie transposed in memory: "n" or "t" each. */
    layout: z.enum(["nn", "nt", "tn", "tt"]),
    gflopPerSecond: positive,
  });

  const bandwidth = z.strictObject({
    bench: z.literal("bandwidth"),
    ...timed,
    pass,
    op: z.string(),
    shape: z.array(count),
    gbPerSecond: positive,
  });

  /** A batch of clips made from files: decoded, cropped, and augmented where it is labelled. */
  const loader = z.strictObject({
    bench: z.literal("loader"),
    ...timed,
    clipsOf: z.enum(["pretrain", "finetune"]),
    /** What was read, e.g. "drawn, 8 x 340x256x96". */
    source: z.string(),
    clips: count,
    frames: count,
    size: count,
    clipsPerSecond: positive,
    /** Processor time of a batch in all threads: other programs disturb it less than the clock. */
    processorMs: positive.optional(),
  });

  const ceiling = z.strictObject({
    bench: z.literal("ceiling"),
    ...origin,
    name: z.string(),
    value: positive,
    unit: z.string(),
    medianMs: positive.optional(),
    minMs: positive.optional(),
    maxMs: positive.optional(),
    repeats: count.optional(),
  });

  const verdict = {
    ...origin,
    name: z.string(),
    verdict: z.enum(["as expected", "differs", "failed", "not on this GPU"]),
    detail: z.string().optional(),
    cases: z.number().optional(),
    ms: z.number().optional(),
  };
  const probe = z.strictObject({ bench: z.literal("probe"), ...verdict });
  const conformance = z.strictObject({ bench: z.literal("conformance"), ...verdict });
  const training = z.strictObject({ bench: z.literal("training"), ...verdict });

  const timedKinds = [step, classifier, attention, gemm, bandwidth, loader] as const;
  const measured = z.discriminatedUnion("bench", [...timedKinds, ceiling, probe, conformance, training]);
  const kinds = measured.options.map((option) => option.shape.bench.value);

  const failure = z.looseObject({
    bench: z.enum(kinds as [string, ...string[]]),
    system: origin.system,
    device: origin.device,
    error: z.string().min(1),
    date: origin.date,
  });
  return { timed: z.discriminatedUnion("bench", timedKinds), measured, failure, kinds };
});
/** A row with times. */
export type TimedRow = zod.infer<ReturnType<typeof schemas>["timed"]>;
/** What could not be measured, and why. */
export type FailedRow = zod.infer<ReturnType<typeof schemas>["failure"]>;
/** One measurement: what, on which machine, how long. Its fields are those of bench/results/README.md. */
export type Row = zod.infer<ReturnType<typeof schemas>["measured"]> | FailedRow;

/** What besides bench, device, dtype and threads decides which work a row is about. */
export const identityFields: { [K in TimedRow["bench"]]: (keyof Extract<TimedRow, { bench: K }>)[] } = {
  step: ["model", "clips", "decoderMaskRatio"],
  classifier: ["model", "clips", "pass"],
  attention: ["pass", "clips", "heads", "tokens", "headWidth"],
  gemm: ["m", "n", "k", "layout"],
  bandwidth: ["op", "pass", "shape"],
  loader: ["clipsOf", "source", "clips", "frames", "size"],
};

/** The work a row is about, as text; equal exactly when two rows may be compared. */
export function identity(row: TimedRow): string {
  const fields = ["device", "dtype", "threads", ...identityFields[row.bench]];
  const values = row as unknown as Record<string, unknown>;
  const named = fields.filter((field) => values[field] !== undefined).map((field) => `${field}=${values[field]}`);
  return [row.bench, ...named].join(" ");
}

/** The machine a row was measured on; times of different machines are not compared. */
export function machineOf({ machine, device }: TimedRow): string {
  return device === "cpu" && machine.cores !== undefined ? `${machine.name}, ${machine.cores} cores` : machine.name;
}

export function isTimed(row: Row): row is TimedRow {
  return !("error" in row) && row.bench in identityFields;
}

/**
 * One row out of a line.
 * @param where  what errors name, e.g. `results.jsonl:12`
 * @throws VideomaeError naming the field that is missing, unknown or wrong
 */
export function parseRow(line: string, where: string): Row {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch (cause) {
    throw new VideomaeError({ op: where, expected: "one JSON object", got: excerpt(line), cause });
  }
  const failed = typeof value === "object" && value !== null && "error" in value;
  const { failure, measured } = schemas();
  const result = failed ? failure.safeParse(value) : measured.safeParse(value);
  if (!result.success) throw refused(where, value, result.error.issues[0]);
  const row = result.data;
  if (isTimed(row) && !(row.minMs <= row.medianMs && row.medianMs <= row.maxMs)) {
    const got = `${row.minMs}, ${row.medianMs}, ${row.maxMs}`;
    throw new VideomaeError({ op: `${where} medianMs`, expected: "minMs <= medianMs <= maxMs", got });
  }
  if (isTimed(row) && (row.device === "cpu") !== (row.threads !== undefined)) {
    const expected = row.device === "cpu" ? "the number of CPU threads" : "none on a GPU";
    throw new VideomaeError({ op: `${where} threads`, expected, got: String(row.threads) });
  }
  return row;
}

/** All rows of a JSONL file. */
export function readRows(path: string): Row[] {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (cause) {
    throw new VideomaeError({ op: path, expected: "a file of rows", got: (cause as Error).message, cause });
  }
  const lines = text.split("\n").map((line, i) => ({ line, where: `${path}:${i + 1}` }));
  return lines.filter(({ line }) => line.trim() !== "").map(({ line, where }) => parseRow(line, where));
}

function refused(where: string, value: unknown, issue: zod.core.$ZodIssue): VideomaeError {
  const { measured, kinds } = schemas();
  const { bench } = (value ?? {}) as { bench?: unknown };
  if (issue.code === "unrecognized_keys") {
    const option = measured.options.find(({ shape }) => shape.bench.value === bench);
    const near = nearest(issue.keys[0], Object.keys(option?.shape ?? {}));
    const hint = near ? `did you mean "${near}"?` : "lib/bench/row.ts lists the fields";
    return new VideomaeError({ op: where, expected: `fields of a ${bench} row`, got: `"${issue.keys[0]}"`, hint });
  }
  const field = issue.path.join(".");
  if (field === "bench") {
    return new VideomaeError({ op: `${where} bench`, expected: `one of ${kinds.join(", ")}`, got: excerpt(bench) });
  }
  const got = issue.path.reduce<unknown>((inside, key) => (inside as Record<PropertyKey, unknown>)?.[key], value);
  return new VideomaeError({ op: field ? `${where} ${field}` : where, expected: issue.message, got: excerpt(got) });
}

function excerpt(value: unknown): string {
  const text = typeof value === "string" ? value : (JSON.stringify(value) ?? "nothing");
  return text.length > 80 ? `${text.slice(0, 80)}...` : text;
}
