// Folders of pictures: numbers, sizes, orientation, depth, grey and alpha.

import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import sharp from "sharp";
import { describe, expect, it } from "vitest";
import { openFrames } from "#lib/data/decoder-frames.js";
import { haveShared } from "../fixtures.js";
import { temporaryFolder } from "../temporary-folder.js";
import { dataFolder } from "./manifest.js";

const clip = {
  ...({ kind: "frames", folder: join(dataFolder, "rawframes/nasa_13013"), start: 1, total: 20 } as const),
  ...{ template: "img_{:05}.jpg", where: "l.csv:1" },
};

/** Opens a folder with one picture. */
async function one(data: Buffer, name = "img_1.png") {
  const folder = temporaryFolder();
  writeFileSync(join(folder, name), data);
  const file = await openFrames({ ...clip, folder, total: 1, template: name.replace("1", "{}") });
  const pixels = new Uint8Array(file.width * file.height * 3);
  await file.read([0], pixels);
  return { width: file.width, height: file.height, pixels: [...pixels] };
}

describe.skipIf(!haveShared)("a folder of pictures", () => {
  it("reads pictures by number, close to the video they were taken from", async () => {
    const file = await openFrames(clip);
    expect(file.frameCount).toBe(20);
    const out = new Uint8Array(2 * file.width * file.height * 3);
    await file.read([3, 3], out);
    expect(Buffer.compare(out.subarray(0, out.length / 2), out.subarray(out.length / 2))).toBe(0);
    expect(out.some((byte) => byte > 0)).toBe(true);
  });

  it("names a missing and a broken picture", async () => {
    const far = await openFrames({ ...clip, total: 9999 });
    await expect(far.read([9998], new Uint8Array(10_000_000))).rejects.toThrow(
      /img_09999\.jpg: expected picture 9999 of 9999/,
    );
    const folder = temporaryFolder();
    const whole = readFileSync(join(clip.folder, "img_00001.jpg"));
    writeFileSync(join(folder, "img_00001.jpg"), whole);
    writeFileSync(join(folder, "img_00002.jpg"), whole.subarray(0, whole.length / 2));
    const file = await openFrames({ ...clip, folder, total: 2 });
    await expect(file.read([1], new Uint8Array(10_000_000))).rejects.toThrow(/img_00002\.jpg/);
    await expect(openFrames({ ...clip, folder: "/nowhere" })).rejects.toThrow(/\/nowhere\/img_00001\.jpg/);
  });
});

describe("pictures", () => {
  // 3 x 2 pixels, red 0 20 40 / 60 80 100, in lossless forms.
  const values = [0, 20, 40, 60, 80, 100];
  const rgb = Buffer.from(values.flatMap((value) => [value, 7, 200]));
  const picture = () => sharp(rgb, { raw: { width: 3, height: 2, channels: 3 } });
  const reds = (pixels: number[]) => pixels.filter((_, i) => i % 3 === 0);

  it.each([
    [1, [3, 2], values],
    [2, [3, 2], [40, 20, 0, 100, 80, 60]],
    [3, [3, 2], [100, 80, 60, 40, 20, 0]],
    [4, [3, 2], [60, 80, 100, 0, 20, 40]],
    [5, [2, 3], [0, 60, 20, 80, 40, 100]],
    [6, [2, 3], [60, 0, 80, 20, 100, 40]],
    [7, [2, 3], [100, 40, 80, 20, 60, 0]],
    [8, [2, 3], [40, 100, 20, 80, 0, 60]],
  ])("of EXIF orientation %i are turned", async (orientation, size, expected) => {
    const { width, height, pixels } = await one(await picture().withMetadata({ orientation }).png().toBuffer());
    expect([width, height]).toEqual(size);
    expect(reds(pixels)).toEqual(expected);
  });

  it("of 16 bits keep their upper 8", async () => {
    const deep = Uint16Array.from([0, 255, 256, 0x1280, 0xff00, 0xffff].flatMap((value) => [value, value, value]));
    const data = await sharp(deep, { raw: { width: 3, height: 2, channels: 3 } })
      .toColourspace("rgb16")
      .png()
      .toBuffer();
    expect((await sharp(data).metadata()).depth).toBe("ushort");
    expect(reds((await one(data)).pixels)).toEqual([0, 0, 1, 0x12, 0xff, 0xff]);
  });

  it("in grey, of 8 and of 16 bits, have three equal colours", async () => {
    const gray = sharp(Buffer.from(values), { raw: { width: 3, height: 2, channels: 1 } });
    const { pixels } = await one(await gray.toColourspace("b-w").png().toBuffer());
    expect(pixels).toEqual(values.flatMap((value) => [value, value, value]));
    const deep = sharp(
      Uint16Array.from(values, (value) => value * 256 + 9),
      { raw: { width: 3, height: 2, channels: 1 } },
    );
    const data = await deep.toColourspace("grey16").png().toBuffer();
    expect(await sharp(data).metadata()).toMatchObject({ depth: "ushort", channels: 1 });
    expect((await one(data)).pixels).toEqual(values.flatMap((value) => [value, value, value]));
  });

  it("with alpha lose it, and are not blended", async () => {
    const data = await picture().ensureAlpha(0.25).png().toBuffer();
    expect((await sharp(data).metadata()).channels).toBe(4);
    expect((await one(data)).pixels).toEqual([...rgb]);
  });

  it("with a colour profile keep their values", async () => {
    const data = await picture().withIccProfile("p3").png().toBuffer();
    expect((await sharp(data).metadata()).icc).toBeDefined();
    const { pixels } = await one(data);
    expect(pixels).not.toEqual([...rgb]); // they were rewritten for the profile, and are not written back
    expect(pixels).toEqual([...(await sharp(data, { ignoreIcc: true }).raw().toBuffer())]);
  });

  it("of another size than the first are refused", async () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, "img_1.png"), await picture().png().toBuffer());
    writeFileSync(join(folder, "img_2.png"), await picture().resize(2, 2).png().toBuffer());
    const file = await openFrames({ ...clip, folder, total: 2, template: "img_{}.png" });
    await expect(file.read([1], new Uint8Array(18))).rejects.toThrow(
      /3 x 2 pixels, as in the first picture; got 2 x 2/,
    );
  });

  it("that are pipes are refused at once", async () => {
    const folder = temporaryFolder();
    spawnSync("mkfifo", [join(folder, "img_1.png")]);
    const opened = openFrames({ ...clip, folder, total: 1, template: "img_{}.png" });
    await expect(opened).rejects.toThrow(/img_1\.png: expected picture 1 of 1 of l\.csv:1; got a pipe/);
  });
});
