// The run on a lent machine: what a stage does with programs that fail, hang, crash, print rubbish or are not there.
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { GpuReadings, parseReading } from "../../bench/gpu/gpu-readings.js";
import { runProgram } from "../../bench/gpu/program.js";
import { Recorder, type ResultRow } from "../../bench/gpu/recorder.js";
import { runStages, type Stage } from "../../bench/gpu/stage.js";
import { temporaryFolder } from "../temporary-folder.js";

const folder = temporaryFolder();
const script = (code: string) => [process.execPath, "-e", code];

async function rowsOf(stages: readonly Stage[], budget: number, signal?: AbortSignal) {
  const out = path.join(folder, `run-${Math.random()}`);
  const recorder = new Recorder(out, (row) => ({ ...row, stamped: true }));
  const summaries = await runStages(stages, budget, recorder, { cwd: folder, signal });
  recorder[Symbol.dispose]();
  const lines = readFileSync(path.join(out, "rows.jsonl"), "utf8").trimEnd().split("\n");
  return { summaries, rows: lines.map((line) => JSON.parse(line) as ResultRow), log: path.join(out, "log.txt") };
}

const stage = (name: string, run: Stage["run"], weight = 1): Stage => ({ name, weight, run });

describe("a stage", () => {
  it("turns JSON lines into stamped rows and keeps all else in the log", async () => {
    const printing = script(`console.log('{"bench":"x","value":1}'); console.log("{words"); console.error("more")`);
    const { rows, summaries, log } = await rowsOf(
      [stage("a", async (run) => void (await run.command(printing, { row: (row) => ({ ...row, added: 2 }) })))],
      20,
    );
    expect(rows[0]).toEqual({ stage: "a", bench: "x", value: 1, added: 2, stamped: true });
    expect(rows[1]).toMatchObject({ bench: "stage", stage: "a", status: "ok", rows: 1 });
    expect(summaries).toHaveLength(1);
    const text = readFileSync(log, "utf8");
    expect(text).toContain("{words");
    expect(text).toContain("more");
  });

  it.each([
    ["an exit status", script("process.exit(4)"), "exit status 4"],
    ["a crash", script("process.kill(process.pid, 'SIGSEGV')"), "killed by SIGSEGV"],
    ["a program that is not there", ["no-such-program"], "no-such-program: not found"],
  ])("records %s and goes on", async (_, argv, reason) => {
    const { summaries, rows } = await rowsOf(
      [
        stage("bad", async (run) => void (await run.command(argv))),
        stage("good", async (run) => run.row({ bench: "fine" })),
      ],
      20,
    );
    expect(summaries.map(({ status }) => status)).toEqual(["failed", "ok"]);
    expect(rows.find(({ bench }) => bench === "command")).toMatchObject({ stage: "bad", reason });
    expect(rows.find(({ bench }) => bench === "fine")).toMatchObject({ stage: "good" });
  });

  it("records an exception of its own", async () => {
    const { summaries } = await rowsOf(
      [
        stage("broken", async () => {
          throw new Error("no such row");
        }),
      ],
      20,
    );
    expect(summaries[0]).toMatchObject({ status: "failed", reasons: ["no such row"] });
  });

  it("tells what this machine lacks from what failed", async () => {
    const { summaries } = await rowsOf(
      [
        stage("gpu", async (run) => void (await run.command(script("process.exit(3)"), { unavailable: [3] }))),
        stage("tool", async (run) => void (await run.command(["no-such-program"], { unavailable: "any" }))),
      ],
      20,
    );
    expect(summaries.map(({ status }) => status)).toEqual(["unavailable", "unavailable"]);
  });

  it("ends what does not end, with all it started, and gives the rest of the time to the next", async () => {
    const mark = path.join(folder, "mark");
    const child = `setTimeout(() => require("fs").writeFileSync(${JSON.stringify(mark)}, ""), 9000)`;
    const hanging = script(`
      process.on("SIGTERM", () => {});
      require("child_process").spawn(process.execPath, ["-e", ${JSON.stringify(child)}]);
      console.log('{"bench":"before"}');
      setInterval(() => {}, 1000);`);
    const begun = performance.now();
    const { summaries, rows } = await rowsOf(
      [
        stage("hanging", async (run) => void (await run.command(hanging, { limit: 2 }))),
        stage("next", async (run) => run.row({ bench: "fine", left: run.left() })),
      ],
      40,
    );
    expect((performance.now() - begun) / 1000).toBeLessThan(15);
    expect(summaries.map(({ status }) => status)).toEqual(["cut off", "ok"]);
    expect(rows.map(({ bench }) => bench)).toEqual(["before", "command", "stage", "fine", "stage"]);
    await sleep(1500);
    expect(existsSync(mark)).toBe(false);
  });

  it("divides the time that is left by weight", async () => {
    const left: number[] = [];
    const look = (name: string, weight: number) => stage(name, async (run) => void left.push(run.left()), weight);
    await rowsOf([look("one", 1), look("three", 3)], 40);
    expect(left[0]).toBeCloseTo(10, 0);
    expect(left[1]).toBeCloseTo(40, 0);
  });

  it("starts nothing without time, and nothing after an interrupt", async () => {
    const never = stage("never", async (run) => run.row({ bench: "never" }));
    expect((await rowsOf([never], 1)).summaries[0].status).toBe("no time left");
    const stop = new AbortController();
    stop.abort();
    expect((await rowsOf([never], 20, stop.signal)).summaries[0].status).toBe("no time left");
  });
});

it("ends a program when the run is interrupted", async () => {
  const stop = new AbortController();
  setTimeout(() => stop.abort(), 300);
  const outcome = await runProgram(script("setInterval(() => {}, 1000)"), {
    cwd: folder,
    limit: 30,
    onLine: () => {},
    signal: stop.signal,
  });
  expect(outcome).toMatchObject({ cutOff: true, status: null });
  expect(outcome.seconds).toBeLessThan(10);
});

describe("readings of the GPU", () => {
  it("are numbers where they are numbers", () => {
    const line = "NVIDIA H100 80GB HBM3, 580.159, 1980, 1980, 2619, 700.00, 412.50, 51, 40312, 0x0000000000000000";
    expect(parseReading(line)).toMatchObject({
      name: "NVIDIA H100 80GB HBM3",
      driver: "580.159",
      clockSmMhz: 1980,
      powerDrawWatt: 412.5,
    });
    expect(parseReading("NVIDIA-SMI has failed because it could not talk to the driver")).toBeUndefined();
  });

  it("are absent, without delay, where there is no driver", async () => {
    using readings = new GpuReadings("no-such-program");
    await readings.started;
    expect(readings.latest).toBeUndefined();
  });
});
