// Event files read while they are written: what the writer put in comes out, and a damaged record is where reading ends.
import { appendFileSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { EventFile } from "#lib/log/event-file.js";
import { EventFollower, type EventRecord } from "#lib/log/event-follower.js";
import { temporaryFolder } from "../temporary-folder.js";

const folder = temporaryFolder();
const bytes = Uint8Array.from({ length: 3 << 20 }, (_, i) => i % 251);

function written(): Buffer {
  using file = new EventFile(folder, 41, () => 5000);
  file.scalars(41, { "train/clips": 8, "train/loss": -0.5 }, 6000);
  file.picture(41, "reconstruction/0", { bytes, width: 30, height: 20 }, 7000);
  file.scalars(42, { "train/loss": Number.NaN }, 8000);
  return readFileSync(file.path);
}

function following(path: string) {
  const records: EventRecord[] = [];
  let restarts = 0;
  const follower = new EventFollower(path, {
    onRestart: () => restarts++,
    onRecord: (record) => records.push(record),
  });
  return { records, follower, restarts: () => restarts };
}

test("records come once, whole, as they were written", async () => {
  const text = written();
  const path = join(folder, "grows");
  const { records, follower, restarts } = following(path);
  expect(await follower.poll()).toBe(false);
  const cuts = [0, 5, 11, 12, 60, 100, 180, 200, 1000, text.length - 40, text.length];
  for (const [i, cut] of cuts.slice(1).entries()) {
    appendFileSync(path, text.subarray(cuts[i], cut));
    expect(await follower.poll()).toBe(true);
    expect(follower.damagedAt).toBeUndefined();
  }
  const [version, start, clips, picture, last] = records;
  expect(records).toHaveLength(5);
  expect(restarts()).toBe(0);
  expect([version.start, start.start, start.step, start.time]).toEqual([false, true, 41, 5000]);
  expect([clips.step, clips.time, [...clips.scalars]]).toEqual([
    41,
    6000,
    [
      ["train/clips", 8],
      ["train/loss", -0.5],
    ],
  ]);
  const shown = picture.pictures.get("reconstruction/0")!;
  expect([picture.step, shown.width, shown.height]).toEqual([41, 30, 20]);
  expect(Buffer.from(shown.bytes).equals(bytes)).toBe(true);
  expect(last.scalars.get("train/loss")).toBeNaN();
});

test("nothing is read from a record on whose checksum is wrong, until it is right", async () => {
  const text = written();
  const path = join(folder, "damaged");
  const at = text.indexOf("train/loss");
  const damaged = Buffer.from(text);
  damaged[at] ^= 1;
  writeFileSync(path, damaged);
  const { records, follower } = following(path);
  await follower.poll();
  expect(records).toHaveLength(2);
  const began = follower.damagedAt!;
  expect(began).toBeLessThan(at);
  expect(text.readBigUInt64LE(began)).toBeGreaterThan(at - began - 12);
  writeFileSync(path, text); // the part that was on its way has come
  await follower.poll();
  expect(records).toHaveLength(5);
  expect(follower.damagedAt).toBeUndefined();
});
