// Decoding of real and awkward clips against their manifest and against each other.

import { spawnSync } from "node:child_process";
import { copyFileSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { VideoDecoder } from "#lib/data/decoder.js";
import { openFrames } from "#lib/data/decoder-frames.js";
import { findDecoder } from "#lib/data/find-decoder.js";
import { RandomStream } from "#lib/random.js";
import { haveShared, sharedFolder } from "../fixtures.js";
import { temporaryFolder } from "../temporary-folder.js";

const data = join(sharedFolder, "data");
const manifest: Record<string, { frameMd5?: { count: number }; rotation?: number }> = haveShared
  ? JSON.parse(readFileSync(join(data, "manifest.json"), "utf8"))
  : {};
const haveFfmpeg = spawnSync("ffprobe", ["-version"]).status === 0;
if (!haveFfmpeg) console.log("skipped: ffmpeg and ffprobe are not on PATH");

/** What opening, or reading all frames, of these says. */
const BAD: Record<string, RegExp> = {
  "candle/hello.mp4": /a video stream; got none$/,
  "decord/corrupted.mp4": /damaged|healthy/,
  "odd/audio_only.mp4": /a video stream; got none$/,
  "odd/bitflips.mp4": /damaged|healthy/,
  "odd/cover_art_only.m4a": /none but a cover picture/,
  "odd/not_a_video.mp4": /Invalid data/,
  "odd/truncated_faststart.mp4": /cut short after 62|healthy/,
  "odd/truncated_no_moov.mp4": /Invalid data|moov/,
  "odd/zero_bytes.mp4": /an empty file/,
};
/** Of two video streams the best is not the first, which the manifest describes. */
const SECOND_STREAM: Record<string, number> = { "torchcodec/nasa_13013.mp4": 390, "odd/two_video_streams.mkv": 25 };

const clips = Object.keys(manifest)
  .filter((path) => !path.includes("/motion/") || path.endsWith("_0000.mp4") || path.endsWith("/0007.mp4"))
  .map((path) => path.replace(/^videos\//, ""));
const healthy = clips.filter((clip) => !(clip in BAD));
const locate = (clip: string) => join(data, "videos", clip);

async function readAll(decoder: VideoDecoder, path: string, indices?: readonly number[]) {
  const file = await decoder.open(path);
  try {
    const wanted = indices ?? Array.from({ length: file.frameCount }, (_, i) => i);
    const bytes = file.width * file.height * 3;
    const pixels = new Uint8Array(wanted.length * bytes);
    await file.read(wanted, pixels);
    const frame = (i: number) => pixels.subarray(i * bytes, (i + 1) * bytes);
    return { count: file.frameCount, width: file.width, height: file.height, pixels, frame };
  } finally {
    file.close();
  }
}

describe.skipIf(!haveShared)("node-av", () => {
  it.each(healthy)("counts the frames of %s", async (clip) => {
    const file = await (await findDecoder("node-av")).open(locate(clip));
    const expected = SECOND_STREAM[clip] ?? manifest[`videos/${clip}`].frameMd5?.count;
    expect(file.frameCount).toBe(expected);
    file.close();
  });

  it.each(Object.keys(BAD))("says why %s is bad", async (clip) => {
    const failed = readAll(await findDecoder("node-av"), locate(clip));
    await expect(failed).rejects.toThrow(BAD[clip]);
    await expect(failed).rejects.toMatchObject({ name: "VideomaeError", op: locate(clip) });
  });

  // mp4 and mkv with B-frames and one or many key frames, packed MPEG-4 in AVI without timestamps, an edit list, no
  // container, equal timestamps and two sizes, several codecs, a transport stream, rotation.
  it.each([
    "mmaction2/demo.mp4",
    "decord/flipping_a_pancake.mkv",
    "torchvision/RATRACE_wave_f_nm_np1_fr_goo_37.avi",
    "torchvision/v_SoccerJuggling_g23_c01.avi",
    "c3d/v_ApplyEyeMakeup_g01_c01.avi",
    "huggingface-datasets/test_video_66x50.mov",
    "torchcodec/h265_video.mp4",
    "torchcodec/av1_video.mkv",
    "odd/edit_list.mp4",
    "odd/elementary_stream.h264",
    "odd/resolution_change.ts",
    "odd/codec_mpeg2video.mpg",
    "odd/codec_libvpx.webm",
    "odd/codec_wmv2.wmv",
    "odd/odd_size_175x99.webm",
    "odd/single_keyframe_300.mp4",
    "odd/interlaced_tff.mp4",
    "odd/rotated_90.mp4",
  ])("reads any frames of %s as decoding from the start does", async (clip) => {
    const decoder = await findDecoder("node-av");
    const { count, frame, width, height } = await readAll(decoder, locate(clip));
    const file = await decoder.open(locate(clip));
    const stream = new RandomStream(1, clip);
    for (let i = 0; i < 10; i++) {
      const indices = [stream.integer(count), stream.integer(count)];
      const out = new Uint8Array(2 * width * height * 3);
      await file.read(indices, out);
      const half = out.length / 2;
      expect(Buffer.compare(out.subarray(0, half), frame(indices[0]))).toBe(0);
      expect(Buffer.compare(out.subarray(half), frame(indices[1]))).toBe(0);
    }
    file.close();
  });

  it("reads repeats and any order, and refuses frames that are not there", async () => {
    const file = await (await findDecoder("node-av")).open(locate("odd/five_frames.mp4"));
    const bytes = file.width * file.height * 3;
    const out = new Uint8Array(3 * bytes);
    await file.read([4, 0, 4], out);
    expect(Buffer.compare(out.subarray(0, bytes), out.subarray(2 * bytes))).toBe(0);
    expect(Buffer.compare(out.subarray(0, bytes), out.subarray(bytes, 2 * bytes))).not.toBe(0);
    await expect(file.read([5], out)).rejects.toThrow(/a frame number in \[0, 5\); got 5/);
    await expect(file.read([0, 1, 2, 3], out)).rejects.toThrow(/room for/);
    file.close();
    file.close();
  });

  it("names a missing file and a folder", async () => {
    const decoder = await findDecoder("node-av");
    await expect(decoder.open("/nowhere/a.mp4")).rejects.toThrow(
      "/nowhere/a.mp4: expected a video file; got no such file",
    );
    await expect(decoder.open(data)).rejects.toThrow(/something not a file/);
  });

  it("notices that a file has changed", async () => {
    const path = join(temporaryFolder(), "a.mp4");
    const decoder = await findDecoder("node-av");
    for (const clip of ["odd/five_frames.mp4", "odd/fps_1.mp4"]) {
      copyFileSync(locate(clip), path);
      const file = await decoder.open(path);
      expect(file.frameCount).toBe(manifest[`videos/${clip}`].frameMd5?.count);
      file.close();
    }
  });
});

describe.skipIf(!haveShared || !haveFfmpeg)("ffmpeg", () => {
  it.each([
    "mmaction2/part_0.mp4",
    "torchvision/hmdb51_Turnk_r_Pippi_Michel_cartwheel_f_cm_np2_le_med_6.avi",
    "decord/video_90.mov",
    "decord/video_180.mov",
    "decord/video_270.mov",
    "odd/edit_list.mp4",
    "odd/elementary_stream.h264",
    "odd/interlaced_tff.mp4",
    "odd/resolution_change.ts",
    "odd/name with spaces ünï 名.mp4",
    "torchcodec/nasa_13013.mp4",
  ])("sees %s as node-av does", async (clip) => {
    const ours = await readAll(await findDecoder("node-av"), locate(clip));
    const wanted = [ours.count - 1, 0, Math.floor(ours.count / 2)];
    const theirs = await readAll(await findDecoder("ffmpeg"), locate(clip), wanted);
    expect([theirs.count, theirs.width, theirs.height]).toEqual([ours.count, ours.width, ours.height]);
    for (const [slot, index] of wanted.entries()) {
      let largest = 0;
      const a = ours.frame(index);
      const b = theirs.frame(slot);
      for (let i = 0; i < a.length; i++) largest = Math.max(largest, Math.abs(a[i] - b[i]));
      // Frames of another size than the first are scaled, which differs between versions of FFmpeg.
      expect(largest).toBeLessThanOrEqual(clip.endsWith("change.ts") ? 24 : 2);
    }
  });

  it.each(Object.keys(BAD))("says why %s is bad", async (clip) => {
    const failed = readAll(await findDecoder("ffmpeg"), locate(clip));
    await expect(failed).rejects.toMatchObject({ name: "VideomaeError", op: locate(clip) });
  });
});

describe.skipIf(!haveShared)("a folder of pictures", () => {
  const source = {
    ...({ kind: "frames", folder: join(data, "rawframes/nasa_13013"), start: 1, total: 20 } as const),
    ...{ template: "img_{:05}.jpg", where: "l.csv:1" },
  };

  it("reads pictures by number, close to the video they were taken from", async () => {
    const file = await openFrames(source);
    expect(file.frameCount).toBe(20);
    const out = new Uint8Array(2 * file.width * file.height * 3);
    await file.read([3, 3], out);
    expect(Buffer.compare(out.subarray(0, out.length / 2), out.subarray(out.length / 2))).toBe(0);
    expect(out.some((byte) => byte > 0)).toBe(true);
  });

  it("names a missing and a broken picture", async () => {
    const far = await openFrames({ ...source, total: 9999 });
    await expect(far.read([9998], new Uint8Array(10_000_000))).rejects.toThrow(
      /img_09999\.jpg: expected picture 9999 of 9999/,
    );
    const folder = temporaryFolder();
    const whole = readFileSync(join(source.folder, "img_00001.jpg"));
    writeFileSync(join(folder, "img_00001.jpg"), whole);
    writeFileSync(join(folder, "img_00002.jpg"), whole.subarray(0, whole.length / 2));
    const file = await openFrames({ ...source, folder, total: 2 });
    await expect(file.read([1], new Uint8Array(10_000_000))).rejects.toThrow(/img_00002\.jpg/);
    await expect(openFrames({ ...source, folder: "/nowhere" })).rejects.toThrow(/\/nowhere\/img_00001\.jpg/);
  });
});

describe("findDecoder", () => {
  it("says how to get a decoder when there is none", () => {
    const empty = mkdtempSync(join(temporaryFolder(), "path-"));
    const script = `import { findDecoder } from "#lib/data/find-decoder.js";
      await findDecoder("ffmpeg").catch((error) => console.log(error.message));`;
    const { stdout } = spawnSync(process.execPath, ["--input-type=module", "-e", script], { env: { PATH: empty } });
    expect(`${stdout}`).toContain("npm install node-av@6.1.1, or install ffmpeg");
  });
});
