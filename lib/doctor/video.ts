// What decodes: the video decoders with their versions, and sharp for pictures.

import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { childProcess } from "../library.js";
import { type Finding, fine, reasonOf } from "./finding.js";

const require = createRequire(import.meta.url);
const NODE_AV = "6.1.1";
const INSTALL = `npm install node-av@${NODE_AV}, or install ffmpeg so that ffmpeg and ffprobe are on PATH`;

/** A decoder that was looked for. */
export type Backend =
  | { readonly name: string; readonly version: string }
  | { readonly name: string; readonly missing: string };

/** Both decoders, as they are found or not. */
export async function findBackends(): Promise<Backend[]> {
  const nodeAv = await import("node-av/lib").then(
    () => ({ name: "node-av", version: versionOf("node-av", "node-av/lib") }),
    (error) => ({ name: "node-av", missing: reasonOf(error) }),
  );
  return [nodeAv, programVersion()];
}

/** The version in the package.json above an installed module, which need not be among the package's exports. */
function versionOf(name: string, module: string): string {
  for (let folder = dirname(require.resolve(module)); folder !== dirname(folder); folder = dirname(folder)) {
    const file = join(folder, "package.json");
    if (!existsSync(file)) continue;
    const manifest = JSON.parse(readFileSync(file, "utf8")) as { name?: string; version?: string };
    if (manifest.name === name) return manifest.version ?? "of unknown version";
  }
  return "of unknown version";
}

function programVersion(): Backend {
  const name = "ffmpeg";
  const versions: string[] = [];
  for (const program of ["ffmpeg", "ffprobe"]) {
    const { error, status, stdout } = childProcess().spawnSync(program, ["-version"], {
      encoding: "utf8",
      timeout: 10_000,
    });
    if (error || status !== 0) return { name, missing: `${program}: ${error ? reasonOf(error) : `status ${status}`}` };
    versions.push(/version (\S+)/.exec(stdout)?.[1] ?? "of unknown version");
  }
  return { name, version: versions[0] };
}

/** What `--decoder auto` comes to, out of what was found. */
export function examineDecoders(backends: readonly Backend[]): Finding {
  const check = "video decoder";
  const line = backends.map((b) => ("version" in b ? `${b.name} ${b.version}` : `no ${b.name}`)).join(", ");
  const details = { backends };
  const usable = backends.filter((b) => "version" in b);
  const missing = backends.flatMap((b) => ("missing" in b ? [`${b.name}: ${b.missing}`] : [])).join("; ");
  const [chosen] = usable;
  if (chosen === undefined) return { check, status: "problem", found: "none", cause: missing, fix: INSTALL, details };
  const found = `${chosen.name} (${line})`;
  if (chosen.name === "ffmpeg") {
    const cause = `node-av, which reads single clips far faster, is not there (${missing})`;
    return { check, status: "warning", found, cause, fix: `npm install node-av@${NODE_AV}`, details };
  }
  if ("version" in chosen && chosen.version !== NODE_AV) {
    const cause = `this package is tested with node-av ${NODE_AV}`;
    return { check, status: "warning", found, cause, fix: `npm install node-av@${NODE_AV}`, details };
  }
  return fine(check, found, details);
}

export async function examineSharp(): Promise<Finding> {
  const check = "sharp";
  try {
    const { default: sharp } = await import("sharp");
    const { sharp: version, vips } = sharp.versions;
    return fine(check, `${version} with libvips ${vips}`, { version, vips });
  } catch (error) {
    return {
      ...{ check, status: "problem", found: "none" },
      cause: reasonOf(error),
      fix: "npm install --include=optional sharp (it reads pictures and draws loss plots)",
      details: {},
    };
  }
}
