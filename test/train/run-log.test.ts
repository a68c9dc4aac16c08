// A log whose disk refuses for a while.
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import path from "node:path";
import { expect, it } from "vitest";
import { VideomaeError } from "#lib/errors.js";
import { type JsonlLog, openJsonl, readJsonl } from "#lib/log/jsonl.js";
import { RunLog } from "#lib/train/run-log.js";
import { temporaryFolder } from "../temporary-folder.js";

const folder = temporaryFolder();

it("keeps lines that cannot be written, in order, and says so once", () => {
  const file = path.join(folder, "log.jsonl");
  const jsonl = openJsonl(file);
  let full = false;
  const disk = Object.create(jsonl, {
    write: {
      value: (record: object) => {
        if (full) throw new VideomaeError({ op: "write", got: "no space left" });
        jsonl.write(record as Record<string, unknown>);
      },
    },
    flush: { value: () => jsonl.flush() },
    close: { value: () => jsonl.close() },
    bytes: { get: () => jsonl.bytes },
  }) as JsonlLog;
  const notes: string[] = [];
  const log = new RunLog(disk, (note) => notes.push(note));
  log.write({ step: 1 });
  full = true;
  for (const step of [2, 3]) log.write({ step });
  expect(() => log.flush()).toThrow(/no space left/);
  expect(readJsonl(file)).toEqual([{ step: 1 }]);
  full = false;
  log.event("something", "it happened", { update: 3 });
  expect(readJsonl(file)).toEqual([{ step: 1 }, { step: 2 }, { step: 3 }, { event: "something", update: 3 }]);
  expect(notes).toEqual([expect.stringMatching(/no space left; lines wait/), "it happened"]);
  expect(log.flush()).toBe(readFileSync(file).length);
  full = true;
  log.write({ step: 4 });
  log[Symbol.dispose]();
  expect(notes.at(-1)).toMatch(/1 lines of .*log.jsonl could not be written/);
});

it("notices that another file has taken its place", () => {
  const file = path.join(folder, "moved.jsonl");
  const log = new RunLog(openJsonl(file), () => {});
  log.write({ step: 1 });
  renameSync(file, `${file}.old`);
  expect(() => log.flush()).toThrow(/moved.jsonl/);
  writeFileSync(file, "");
  expect(() => log.flush()).toThrow(/another file/);
  log[Symbol.dispose]();
});
