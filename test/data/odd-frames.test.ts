// Pixel formats, colour tags, alpha, grey, sizes that change: pictures made on the spot, through both decoders.

import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { colourOf } from "#lib/data/colour.js";
import { findDecoder } from "#lib/data/find-decoder.js";
import { pixelFormat, plainFormat } from "#lib/data/pixel-format.js";
import { temporaryFolder } from "../temporary-folder.js";
import { haveFfmpeg, readFrames } from "./manifest.js";

const folder = temporaryFolder();
let made = 0;

/** A file of a few frames, 64 x 48 unless `source` says otherwise. */
function make(extension: string, args: readonly string[], source = "testsrc2=size=64x48:rate=10:duration=0.4"): string {
  const path = join(folder, `${made++}.${extension}`);
  const { status, stderr } = spawnSync("ffmpeg", ["-v", "error", "-y", "-f", "lavfi", "-i", source, ...args, path]);
  if (status !== 0) throw new Error(`${stderr}`);
  return path;
}

async function both(path: string) {
  const ours = await readFrames(await findDecoder("node-av"), path);
  const theirs = await readFrames(await findDecoder("ffmpeg"), path);
  expect([theirs.count, theirs.width, theirs.height]).toEqual([ours.count, ours.width, ours.height]);
  expect(theirs.times).toEqual(ours.times);
  expect(Buffer.compare(ours.pixels, theirs.pixels)).toBe(0);
  return ours;
}

describe.skipIf(!haveFfmpeg)("pixel formats", () => {
  it.each([
    ...["yuv410p", "yuv411p", "yuv420p", "yuv422p", "yuv440p", "yuv444p", "yuva420p", "yuva444p"],
    ...["yuv420p9le", "yuv422p10le", "yuv444p12le", "yuv444p16le", "yuva444p10le"],
    ...["gray", "gray10le", "gray16le", "ya8", "bgr0", "rgba", "gbrp10le", "gbrp14le", "gbrap12le", "rgb48le"],
  ])("%s, lossless", async (format) => {
    const { pixels, count } = await both(
      make("mkv", ["-c:v", "ffv1", "-level", "3", "-strict", "-2", "-pix_fmt", format]),
    );
    expect(count).toBe(4);
    expect(new Set(pixels).size).toBeGreaterThan(8);
  });

  it.each(["yuyv422", "uyvy422", "nv12", "rgb24", "bgr24", "rgb565le", "pal8", "monow", "p010le"])(
    "%s, packed",
    async (format) => {
      await both(make("nut", ["-c:v", "rawvideo", "-pix_fmt", format]));
    },
  );

  it.each([
    ["mov", ["-c:v", "prores_ks", "-pix_fmt", "yuva444p10le"]],
    ["avi", ["-c:v", "mjpeg", "-pix_fmt", "yuvj444p"]],
    ["gif", []],
    ["mov", ["-c:v", "qtrle", "-pix_fmt", "argb"]],
    ["mkv", ["-c:v", "libvpx-vp9", "-pix_fmt", "yuv420p", "-vf", "interlace"]],
    ["ts", ["-c:v", "mpeg2video", "-flags", "+ildct+ilme", "-top", "1"]],
  ])("of %s %j", async (extension, args) => {
    await both(make(extension, args));
  });

  it("drops alpha, and does not blend", async () => {
    const source = "color=c=0xC08040@0.25:size=32x32:rate=5:duration=0.4,format=rgba";
    const { frame } = await both(make("mkv", ["-c:v", "ffv1", "-pix_fmt", "rgba"], source));
    expect([...frame(0).subarray(0, 3)]).toEqual([0xc0, 0x80, 0x40]);
  });

  it("keeps bytes of RGB, and grey grey", async () => {
    const rgb = await both(
      make("mkv", ["-c:v", "ffv1", "-pix_fmt", "bgr0"], "color=c=0x102030:size=20x10:rate=5:d=0.2,format=rgb24"),
    );
    expect([...rgb.frame(0).subarray(0, 3)]).toEqual([0x10, 0x20, 0x30]);
    const { pixels } = await both(make("mkv", ["-c:v", "ffv1", "-pix_fmt", "gray"]));
    expect(pixels.every((value, i) => value === pixels[i - (i % 3)])).toBe(true);
  });

  it("names a format that has no whole samples", async () => {
    const path = make("mkv", ["-c:v", "exr", "-pix_fmt", "gbrpf32le"]);
    for (const backend of ["node-av", "ffmpeg"] as const) {
      await expect(readFrames(await findDecoder(backend), path)).rejects.toThrow(/integer samples; got gbrpf32le/);
    }
  });

  it("knows where the samples of other formats lie", () => {
    const names = ["yuvj420p", "p010le", "yuva422p", "yuva444p10be", "gbrap", "gray12be", "nv24", "bgra", "xyz12le"];
    expect(names.map((name) => plainFormat(name))).toEqual([
      ...["yuvj420p", "yuv420p10le", "yuva422p", "yuva444p10le", "gbrap", "gray12le", "yuv444p", "rgb24", undefined],
    ]);
    expect(pixelFormat("yuv422p12le")).toEqual({
      model: "yuv",
      depth: 12,
      chromaX: 1,
      chromaY: 0,
      full: false,
      alpha: false,
    });
    expect(pixelFormat("gbrap10le")).toMatchObject({ model: "gbr", depth: 10, alpha: true });
    expect(pixelFormat("nv12")).toBeUndefined();
  });
});

describe("colour", () => {
  const yuv = pixelFormat("yuv420p")!;
  const of = (colorSpace: string, colorRange: string, width: number, height: number, format = yuv) => {
    const colour = colourOf(format, { colorSpace, colorRange }, width, height);
    return colour && [colour.kr, colour.full];
  };

  it("follows tags, and size without them", () => {
    expect(of("bt709", "tv", 64, 48)).toEqual([0.2126, false]);
    expect(of("bt2020nc", "pc", 64, 48)).toEqual([0.2627, true]);
    expect(of("smpte170m", "tv", 1920, 1080)).toEqual([0.299, false]);
    expect(of("unknown", "unknown", 720, 576)).toEqual([0.299, false]);
    expect(of("unknown", "unknown", 1280, 576)).toEqual([0.2126, false]);
    expect(of("unknown", "unknown", 720, 577)).toEqual([0.2126, false]);
    expect(of("ycgco", "tv", 64, 48)).toBeUndefined();
    expect(of("ictcp", "tv", 64, 48)).toBeUndefined();
  });

  it("takes untagged grey, RGB and yuvj for full range", () => {
    for (const name of ["gray", "gbrp", "rgb24", "yuvj422p"]) {
      expect(of("unknown", "unknown", 64, 48, pixelFormat(name)!)?.[1]).toBe(true);
    }
    expect(of("unknown", "tv", 64, 48, pixelFormat("gray")!)?.[1]).toBe(false);
  });

  it.skipIf(!haveFfmpeg).each([
    ["bt709", "tv", "640x360"],
    ["bt709", "pc", "640x360"],
    ["smpte170m", "tv", "1280x720"],
    ["bt2020nc", "tv", "640x360"],
  ])("is recovered from %s %s, %s", async (space, range, size) => {
    const names: Record<string, string> = { bt709: "bt709", smpte170m: "bt601", bt2020nc: "bt2020" };
    const scale = `scale=out_color_matrix=${names[space]}:out_range=${range}:flags=accurate_rnd+full_chroma_int`;
    const tags = ["-colorspace", space, "-color_range", range, "-c:v", "ffv1", "-pix_fmt", "yuv444p"];
    const source = `color=c=0x20A0E0:size=${size}:rate=5:duration=0.2`;
    const { frame } = await both(make("mkv", ["-vf", scale, ...tags], source));
    const wanted = [0x20, 0xa0, 0xe0];
    for (const [i, value] of frame(0).subarray(0, 3).entries())
      expect(Math.abs(value - wanted[i])).toBeLessThanOrEqual(2);
  });

  it.skipIf(!haveFfmpeg)("is BT.709 in large untagged pictures", async () => {
    const scale = "scale=out_color_matrix=bt709:out_range=tv:flags=accurate_rnd+full_chroma_int";
    const path = make(
      "avi",
      ["-vf", scale, "-c:v", "rawvideo", "-pix_fmt", "yuv420p"],
      "color=c=0x20A0E0:size=1280x720:d=0.1",
    );
    const { frame } = await both(path);
    for (const [i, value] of [0x20, 0xa0, 0xe0].entries()) expect(Math.abs(frame(0)[i] - value)).toBeLessThanOrEqual(2);
  });
});

describe.skipIf(!haveFfmpeg)("a size that changes", () => {
  it.each([
    ["libvpx-vp9", "yuv420p"],
    ["mjpeg", "yuvj444p"],
  ])("is brought to the first one: %s %s", async (codec, format) => {
    const parts = ["64x48", "48x64", "32x32"].map((size) =>
      make("mkv", ["-c:v", codec, "-pix_fmt", format, "-an"], `testsrc2=size=${size}:rate=10:duration=0.3`),
    );
    const path = join(folder, `${made++}.mkv`);
    const list = parts.map((part) => `file 'file:${part}'`).join("\n");
    const joined = spawnSync(
      "ffmpeg",
      [
        "-v",
        "error",
        "-y",
        "-f",
        "concat",
        "-safe",
        "0",
        "-protocol_whitelist",
        "file,pipe",
        "-i",
        "-",
        "-c",
        "copy",
        path,
      ],
      { input: list },
    );
    expect(`${joined.stderr}`).toBe("");
    const { count, width, height, frame } = await both(path);
    expect([count, width, height]).toEqual([9, 64, 48]);
    expect(Buffer.compare(frame(0), frame(8))).not.toBe(0);
  });
});
