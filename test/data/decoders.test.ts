// Decoding of real and awkward clips against their manifest and against each other.

import { spawnSync } from "node:child_process";
import { copyFileSync, mkdtempSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { type DecoderName, findDecoder } from "#lib/data/find-decoder.js";
import { TimeLimit } from "#lib/data/time-limit.js";
import { WorkSignal } from "#lib/data/work-signal.js";
import { RandomStream } from "#lib/random.js";
import { haveShared } from "../fixtures.js";
import { temporaryFolder } from "../temporary-folder.js";
import { BAD, dataFolder, entry, haveFfmpeg, locate, readFrames } from "./manifest.js";

const backends: DecoderName[] = haveFfmpeg ? ["node-av", "ffmpeg"] : ["node-av"];

describe.skipIf(!haveShared)("node-av", () => {
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
    const { count, frame, width, height } = await readFrames(decoder, locate(clip));
    const bytes = width * height * 3;
    const file = await decoder.open(locate(clip));
    const stream = new RandomStream(1, clip);
    for (let i = 0; i < 12; i++) {
      const [first, step] = [stream.integer(count), 1 + stream.integer(6)];
      const indices = [0, 1, 2, 3].map((k) => Math.min(count - 1, first + k * step));
      const out = new Uint8Array(indices.length * bytes);
      await file.read(indices, out);
      for (const [slot, index] of indices.entries()) {
        expect(Buffer.compare(out.subarray(slot * bytes, (slot + 1) * bytes), frame(index))).toBe(0);
      }
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

  it("notices that a file has changed", async () => {
    const path = join(temporaryFolder(), "a.mp4");
    const decoder = await findDecoder("node-av");
    for (const clip of ["odd/five_frames.mp4", "odd/fps_1.mp4"]) {
      copyFileSync(locate(clip), path);
      const file = await decoder.open(path);
      expect(file.frameCount).toBe(entry(clip).frameMd5.count);
      file.close();
    }
  });
});

describe.skipIf(!haveShared).each(backends)("%s", (backend) => {
  it.each(Object.keys(BAD))("says why %s is bad", async (clip) => {
    const failed = readFrames(await findDecoder(backend), locate(clip));
    await expect(failed).rejects.toThrow(BAD[clip]);
    await expect(failed).rejects.toMatchObject({ name: "VideomaeError", op: locate(clip) });
  });

  it("reads no frames, and many", async () => {
    const file = await (await findDecoder(backend)).open(locate("odd/single_keyframe_300.mp4"));
    await file.read([], new Uint8Array(0));
    const bytes = file.width * file.height * 3;
    const uneven = Array.from({ length: 360 }, (_, i) => i).filter((i) => i % 7 !== 3 && i % 5 !== 1);
    const out = new Uint8Array(uneven.length * bytes);
    await file.read(uneven, out);
    const [one, at] = [new Uint8Array(bytes), uneven.length - 3];
    await file.read([uneven[at]], one);
    expect(Buffer.compare(one, out.subarray(at * bytes, (at + 1) * bytes))).toBe(0);
    file.close();
  });

  it("states FFmpeg's version", async () => {
    const { name, version } = await findDecoder(backend);
    expect(name).toBe(backend);
    expect(version).toMatch(/^FFmpeg \S+, libavcodec \d+\.\d+\.\d+$/);
  });

  it("refuses what is no regular file at once", async () => {
    const decoder = await findDecoder(backend);
    const folder = temporaryFolder();
    const pipe = join(folder, "pipe.mp4");
    spawnSync("mkfifo", [pipe]);
    const socket = join(folder, "socket.mp4");
    const server = createServer().listen(socket);
    await new Promise((resolve) => server.once("listening", resolve));
    for (const [path, got] of [
      ["/nowhere/a.mp4", "no such file"],
      [dataFolder, "a folder"],
      [pipe, "a pipe"],
      [socket, "a socket"],
      ["/dev/zero", "a device"],
    ]) {
      await expect(decoder.open(path)).rejects.toThrow(`${path}: expected a video file; got ${got}`);
    }
    server.close();
  });

  it("gives up when the time is over, and goes on afterwards", async () => {
    const path = join(temporaryFolder(), "copy.mp4"); // nothing is known of it yet
    copyFileSync(locate("mmaction2/demo.mp4"), path);
    const decoder = await findDecoder(backend);
    await expect(decoder.open(path, new TimeLimit(0))).rejects.toThrow(/that decodes within 0 s; got one that takes/);
    const file = await decoder.open(path, new TimeLimit(60));
    const out = new Uint8Array(file.width * file.height * 3);
    await expect(file.read([279], out, new TimeLimit(0))).rejects.toThrow(/within 0 s/);
    await file.read([279], out, new TimeLimit(60));
    expect(out.some((byte) => byte > 0)).toBe(true);
    file.close();
  });

  it("stops when a signal says so", async () => {
    const signal = new WorkSignal();
    const decoder = await findDecoder(backend);
    const file = await decoder.open(locate("mmaction2/S001C001P001R001A001_rgb.avi"));
    const out = new Uint8Array(file.width * file.height * 3);
    const reading = file.read([102], out, new TimeLimit(60, signal));
    new WorkSignal(signal.memory).stop();
    if (backend === "ffmpeg") await expect(reading).rejects.toThrow(/got a signal to stop/);
    else await reading; // its calls are synchronous: done before this thread could say anything
    await expect(file.read([102], out, new TimeLimit(60, signal))).rejects.toThrow(/got a signal to stop/);
    await file.read([0], out, new TimeLimit(60));
    file.close();
  });

  it("reads a name with a colon, and no playlist that reaches elsewhere", async () => {
    const folder = temporaryFolder();
    const decoder = await findDecoder(backend);
    copyFileSync(locate("odd/five_frames.mp4"), join(folder, "http:a.mp4"));
    const { count } = await readFrames(decoder, join(folder, "http:a.mp4"));
    expect(count).toBe(5);
    const playlist = join(folder, "playlist.mp4");
    writeFileSync(playlist, "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nhttp://127.0.0.1:9/a.ts\n#EXT-X-ENDLIST\n");
    await expect(readFrames(decoder, playlist)).rejects.toMatchObject({ name: "VideomaeError", op: playlist });
  });
});

describe.skipIf(!haveShared)("a machine without files to open", () => {
  it.each(backends)("is not a bad file: %s", (backend) => {
    const script = `import { openSync } from "node:fs";
      import { findDecoder } from "#lib/data/find-decoder.js";
      const decoder = await findDecoder("${backend}");
      await decoder.open(${JSON.stringify(locate("odd/one_frame.mp4"))});
      try { for (;;) openSync("/dev/null"); } catch {}
      await decoder.open(${JSON.stringify(locate("odd/five_frames.mp4"))}).catch(({ name, message }) => {
        process.stdout.write(name + " " + message);
      });
      process.exit();`;
    const limited = `ulimit -n 200; exec "$0" --input-type=module -e "$1"`;
    const { stdout } = spawnSync("bash", ["-c", limited, process.execPath, script]);
    expect(`${stdout}`).toMatch(/^Error .*(Too many open files|EMFILE)/);
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
