// Clips to read where there are none: moving test patterns with noise, so that there is something to decode, encoded with
// the key frames that encoders usually place.

import path from "node:path";
import { promisify } from "node:util";
import { VideomaeError } from "../errors.js";
import { childProcess } from "../library.js";

const COUNT = 8;
const SIZE = "340x256";

/** What rows say of made clips of so many frames. */
export function madeSource(frames: number): string {
  return `made, ${COUNT} x ${SIZE}x${frames}, H.264`;
}

/**
 * Makes eight videos in a folder, by the program ffmpeg.
 * @param frames  of each
 * @throws VideomaeError where there is no ffmpeg, or none that encodes H.264
 */
export async function makeClips(folder: string, frames: number): Promise<void> {
  for (let i = 0; i < COUNT; i++) {
    const pictures = `testsrc2=size=${SIZE}:rate=30,noise=alls=${8 + i}:allf=t,scroll=h=0.00${i + 1}`;
    const encode = ["-frames:v", `${frames}`, "-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p"];
    const file = path.join(folder, `${i}.mp4`);
    try {
      await promisify(childProcess().execFile)("ffmpeg", [
        "-v",
        "error",
        "-f",
        "lavfi",
        "-i",
        pictures,
        ...encode,
        file,
      ]);
    } catch (cause) {
      const { code, stderr } = cause as { code?: unknown; stderr?: string };
      const got = code === "ENOENT" ? "no such program" : (stderr?.trim().split("\n")[0] ?? String(code));
      const hint = "install ffmpeg, or name videos of your own with --data";
      throw new VideomaeError({ op: "make clips", expected: "ffmpeg with libx264", got, hint, cause });
    }
  }
}
