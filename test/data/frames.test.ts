// What a frame is: every clip of the manifest through both decoders, and against what its manifest says.

import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { nodeAvDecoder } from "#lib/data/decoder-node-av.js";
import { findDecoder } from "#lib/data/find-decoder.js";
import { TimeLimit } from "#lib/data/time-limit.js";
import { haveShared } from "../fixtures.js";
import { temporaryFolder } from "../temporary-folder.js";
import { entry, haveFfmpeg, healthy, locate, OTHER_STREAM, readFrames } from "./manifest.js";

/** Both decoders read every third clip, which takes a minute; all of them with VIDEOMAE_EVERY_CLIP=1. */
const EVERY = process.env.VIDEOMAE_EVERY_CLIP === "1" ? 1 : 3;
/** So many bytes of RGB are compared at most in one clip. */
const COMPARED = 3e7;

/** Largest and mean difference of two arrays of bytes. */
function difference(a: Uint8Array, b: Uint8Array) {
  if (a.length !== b.length) return { max: Number.NaN, mean: Number.NaN };
  let [max, sum] = [0, 0];
  if (Buffer.compare(a, b) !== 0) {
    for (let i = 0; i < a.length; i++) {
      const d = Math.abs(a[i] - b[i]);
      if (d > max) max = d;
      sum += d;
    }
  }
  return { max, mean: sum / a.length };
}

/** All frames, or every n-th of a long or large clip. */
async function some(decoder: Awaited<ReturnType<typeof findDecoder>>, path: string) {
  const file = await decoder.open(path);
  const { frameCount, width, height } = file;
  file.close();
  const step = Math.ceil((frameCount * width * height * 3) / COMPARED);
  const indices = Array.from({ length: Math.ceil(frameCount / step) }, (_, i) => i * step);
  return readFrames(decoder, path, indices);
}

describe.skipIf(!haveShared)("every clip", () => {
  it.each(healthy)("has the frames, size and shape of pixels that are stated: %s", async (clip) => {
    const file = await (await findDecoder("node-av")).open(locate(clip));
    const { width, height, rotation, sar, frameMd5 } = entry(clip);
    const [w, h, count] = OTHER_STREAM[clip] ?? [width, height, frameMd5.count];
    expect(file.frameCount).toBe(count);
    const turned = Math.abs(rotation) % 180 === 90;
    expect([file.width, file.height]).toEqual(turned ? [h, w] : [w, h]);
    const [a, b] = (clip in OTHER_STREAM ? "1:1" : (sar ?? "1:1")).split(":").map(Number);
    expect(file.pixelAspect).toBeCloseTo(turned ? b / a : a / b, 12);
    expect(file.times).toHaveLength(count);
    expect(file.times![0]).toBe(0);
    expect(file.times!.every((time, i, times) => i === 0 || time > times[i - 1])).toBe(true);
    file.close();
  });

  // The hashes of the others were taken of another stream, of frames brought to one size, of another pixel format, or of
  // an inverse transform that depends on the processor.
  const hashed = healthy.filter(
    (clip) => !(clip in OTHER_STREAM) && !/resolution_change|\.gif$|SoccerJuggling_g23/.test(clip),
  );

  it.each(hashed)("decodes to the stated first, middle and last picture: %s", async (clip) => {
    const video = await (await nodeAvDecoder()).open(locate(clip), new TimeLimit());
    const { count, first, middle, last } = entry(clip).frameMd5;
    const wanted = new Map([
      [0, first],
      [Math.floor(count / 2), middle],
      [count - 1, last],
    ]);
    const seen = new Map<number, string>();
    await video.decode(
      [...wanted.keys()],
      (frame, { bytes }) => seen.set(frame, createHash("md5").update(bytes).digest("hex")),
      new TimeLimit(),
    );
    expect(seen).toEqual(wanted);
    video.close();
  });
});

describe.skipIf(!haveShared || !haveFfmpeg)("both decoders", () => {
  it.each(healthy.filter((_, i) => i % EVERY === 0))(
    "give the same frames, times and sizes: %s",
    async (clip) => {
      const [a, b] = [
        await some(await findDecoder("node-av"), locate(clip)),
        await some(await findDecoder("ffmpeg"), locate(clip)),
      ];
      expect([b.count, b.width, b.height, b.pixelAspect]).toEqual([a.count, a.width, a.height, a.pixelAspect]);
      expect(b.times).toEqual(a.times);
      expect(difference(a.pixels, b.pixels)).toEqual({ max: 0, mean: 0 });
    },
    60_000,
  );

  // The 3 x 3 matrix of an mp4's track header: a, b, c and d of orientation.ts, for all turns and mirrors.
  it.each([
    [1, 0, 0, 1],
    [-1, 0, 0, 1],
    [1, 0, 0, -1],
    [-1, 0, 0, -1],
    [0, 1, 1, 0],
    [0, 1, -1, 0],
    [0, -1, 1, 0],
    [0, -1, -1, 0],
  ])("turn a picture by the matrix %i %i %i %i as the program ffmpeg does on its own", async (...abcd) => {
    const bytes = readFileSync(locate("odd/five_frames.mp4"));
    const header = bytes.indexOf("tkhd") + 44;
    for (const [i, at] of [0, 1, 3, 4].entries()) bytes.writeInt32BE(abcd[i] * 65536, header + 4 * at);
    const path = join(temporaryFolder(), "turned.mp4");
    writeFileSync(path, bytes);
    const ours = await readFrames(await findDecoder("node-av"), path);
    const theirs = await readFrames(await findDecoder("ffmpeg"), path);
    expect(difference(ours.pixels, theirs.pixels).max).toBe(0);
    const exact = "accurate_rnd+full_chroma_int+bitexact+neighbor";
    const args = ["-v", "error", "-i", path, "-sws_flags", exact, "-pix_fmt", "rgb24", "-f", "rawvideo", "-"];
    const { stdout } = spawnSync("ffmpeg", args, { maxBuffer: 2 ** 26 });
    expect(difference(ours.pixels, stdout).max).toBeLessThanOrEqual(1);
  });

  // What readers built on FFmpeg's own conversion, the reference's among them, made of the same pictures.
  it.each([
    ["mmaction2/demo.mp4", 3],
    ["odd/full_range.mp4", 3],
    ["torchcodec/bt709_full_range.mp4", 3],
    ["tensorflow-io/small.mp4", 3],
    ["intel-sample-videos/asl_gestures/again.mkv", 3],
  ])("are close to FFmpeg's default conversion of %s", async (clip, most) => {
    const ours = await readFrames(await findDecoder("node-av"), locate(clip), [0, 1, 2, 3]);
    const args = ["-v", "error", "-i", locate(clip), "-frames:v", "4", "-pix_fmt", "rgb24", "-f", "rawvideo", "-"];
    const { stdout } = spawnSync("ffmpeg", args, { maxBuffer: 2 ** 26 });
    const { max, mean } = difference(ours.pixels, stdout);
    expect(max).toBeLessThanOrEqual(most);
    expect(mean).toBeLessThan(1.2);
  });
});
