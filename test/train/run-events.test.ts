// What TensorBoard is given of a run: the numbers of its log, whatever the file system does meanwhile.
import { appendFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { VideomaeError } from "#lib/errors.js";
import { EventFile } from "#lib/log/event-file.js";
import { RunEvents } from "#lib/train/run-events.js";
import { readEvents, skipWithoutTensorBoard } from "../log/read-events.js";
import { temporaryFolder } from "../temporary-folder.js";

const folder = temporaryFolder();
const update = (step: number) => ({
  step,
  steps: 9,
  loss: 1 / step,
  skipped: false,
  data: { k400: { videos: 8 * step } },
});
const expected = (last: number) => Array.from({ length: last }, (_, i) => [i + 1, Math.fround(1 / (i + 1))]);

describe.skipIf(skipWithoutTensorBoard())("the events of a run", () => {
  it("are the numbers of updates and validations by name; of other lines there is nothing", () => {
    const run = join(folder, "names");
    {
      using events = new RunEvents(run, 0, () => {});
      events.line(update(1));
      events.line({ event: "validation", update: 1, top1: 0.5, classes: ["a", "b"] });
      events.line({ event: "loss spike", update: 1, loss: 9 });
    }
    const { scalars } = readEvents(run);
    expect(scalars).toEqual({
      "train/loss": [[1, 1]],
      "train/data/k400/videos": [[1, 8]],
      "validation/top1": [[1, 0.5]],
    });
  });

  it("of a run that was killed and resumed are those of one never stopped", () => {
    const run = join(folder, "resumed");
    {
      using events = new RunEvents(run, 0, () => {});
      for (let step = 1; step <= 7; step++) events.line(update(step));
    }
    const [file] = readdirSync(run);
    appendFileSync(join(run, file), Buffer.from([40, 0, 0])); // cut short in a record
    {
      using events = new RunEvents(run, 4, () => {});
      for (let step = 5; step <= 9; step++) events.line(update(step));
    }
    expect(readEvents(run).scalars["train/loss"]).toEqual(expected(9));
  });

  it("that cannot be written wait in memory for the next file, and are said to", () => {
    const run = join(folder, "refused");
    const notes: string[] = [];
    let full = false;
    const open = (startStep: number) => {
      if (full) throw new VideomaeError({ op: "open", got: "no space left" });
      const file = new EventFile(run, startStep);
      const scalars = file.scalars.bind(file);
      file.scalars = (...record) => {
        if (full) {
          appendFileSync(file.path, Buffer.from([60, 0, 0, 0])); // as much of the record as there was room for
          throw new VideomaeError({ op: "write", got: "no space left" });
        }
        scalars(...record);
      };
      return file;
    };
    {
      using events = new RunEvents(run, 0, (note) => notes.push(note), open);
      for (let step = 1; step <= 9; step++) {
        full = step === 4 || step === 5;
        events.line(update(step));
      }
    }
    expect(readdirSync(run)).toHaveLength(2);
    expect(readEvents(run).scalars["train/loss"]).toEqual(expected(9));
    expect(notes).toEqual([expect.stringMatching(/no space left; records for TensorBoard wait/)]);
    full = true;
    {
      using events = new RunEvents(run, 9, (note) => notes.push(note), open);
      events.line(update(10));
    }
    expect(notes.at(-1)).toBe("2 records for TensorBoard could not be written");
  });
});
