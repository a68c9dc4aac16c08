// Files with bytes changed at random, or cut short: frames, or an error that names the file, soon. VIDEOMAE_FUZZ sets how
// many; each is a function of its number.

import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { extname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { findDecoder } from "#lib/data/find-decoder.js";
import { TimeLimit } from "#lib/data/time-limit.js";
import { RandomStream } from "#lib/random.js";
import { haveShared } from "../fixtures.js";
import { temporaryFolder } from "../temporary-folder.js";
import { locate } from "./manifest.js";

const COUNT = Number(process.env.VIDEOMAE_FUZZ ?? 150);
/** Found by many more: each asks for gigabytes. */
const GREEDY = [395, 2510, 2595, 8573, 14367, 18340, 18971];
const SECONDS = 20;
const MOST_PIXELS = 2e7;
const clips = [
  ...["five_frames.mp4", "edit_list.mp4", "rotated_90.mp4", "hdr_pq_hevc10.mp4", "fragmented.mp4", "gray.mp4"],
  ...["codec_libvpx.webm", "odd_size_175x99.webm", "codec_ffv1.mkv", "codec_mjpeg.avi", "codec_mpeg2video.mpg"],
  ...["codec_wmv2.wmv", "resolution_change.ts", "elementary_stream.h264"],
];

/** A clip with up to 20 bytes changed, half of the time near its beginning, and at times cut short. */
function damaged(number: number): { name: string; bytes: Uint8Array } {
  const stream = new RandomStream(number, "damage");
  const name = clips[number % clips.length];
  const bytes = readFileSync(locate(`odd/${name}`));
  const reach = stream.integer(2) === 0 ? Math.min(1500, bytes.length) : bytes.length;
  for (let left = 1 + stream.integer(20); left > 0; left--) {
    bytes[stream.integer(reach)] = stream.integer(3) === 0 ? 255 : stream.integer(256);
  }
  return { name, bytes: stream.integer(6) === 0 ? bytes.subarray(0, 1 + stream.integer(bytes.length)) : bytes };
}

async function readSome(path: string): Promise<void> {
  const limit = new TimeLimit(SECONDS);
  const file = await (await findDecoder("node-av")).open(path, limit);
  try {
    expect(file.times!.every(Number.isFinite)).toBe(true);
    if (file.width * file.height > MOST_PIXELS) return;
    const count = Math.min(file.frameCount, 8);
    const step = Math.floor(file.frameCount / count);
    const indices = Array.from({ length: count }, (_, i) => i * step);
    await file.read(indices, new Uint8Array(count * file.width * file.height * 3), limit);
  } finally {
    file.close();
  }
}

describe.skipIf(!haveShared)("damaged files", () => {
  it(`give frames or a reason: ${COUNT} of them`, async () => {
    const folder = temporaryFolder();
    let bad = 0;
    for (const number of [...Array(COUNT).keys(), ...GREEDY]) {
      const { name, bytes } = damaged(number);
      const path = join(folder, `${number}${extname(name)}`);
      writeFileSync(path, bytes);
      await readSome(path).catch((error) => {
        expect({ number, name: error.name, op: error.op }).toEqual({ number, name: "VideomaeError", op: path });
        expect(error.message).not.toMatch(/ within /);
        bad++;
      });
      rmSync(path);
    }
    expect(bad).toBeGreaterThan(COUNT / 4);
    expect(bad).toBeLessThan(COUNT + GREEDY.length);
  }, 600_000);
});
