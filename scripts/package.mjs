#!/usr/bin/env node
// The tarball that is published, in build/package: what package.json lists, with the prebuilt binaries, and with the
// public module as few files: index.js, and those of what it loads when it is first used (index-*.js). Node takes about 0.3 ms
// for each of the 400 files that `import "videomae"` would read otherwise. Commands and worker threads, which read fewer,
// keep their modules as tsc wrote them. zod, which all of them load when they first make a schema, is one file, too.
//
// Options: --cpu  without the plug-in for GPUs; such a package is for tests alone
import { execFileSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { rolldown } from "rolldown";

const root = path.resolve(import.meta.dirname, "..");
const dist = path.join(root, "dist");
const BINARIES = ["videomae.node", "libvideomae_cuda.so"];

const BANNER = "// The modules of videomae in few files.";
const ZOD_BANNER = "// zod in one file, as it loads in a fraction of the time; its licence is in its own package.";

/** Packs and returns the tarball, its bytes, and the names in it. */
export async function packageTarball({ cpu = false } = {}) {
  const folder = path.join(root, "build", "package");
  const stage = path.join(folder, "videomae");
  rmSync(folder, { recursive: true, force: true });
  checkBinaries(cpu);
  for (const { path: name } of npmPack(root, ["--dry-run"]).files) {
    mkdirSync(path.dirname(path.join(stage, name)), { recursive: true });
    cpSync(path.join(root, name), path.join(stage, name));
  }
  await bundle(path.join(stage, "dist", "index.js"));
  await bundleZod(path.join(stage, "dist"));
  writeManifest(path.join(stage, "package.json"));
  const { filename, size, files } = npmPack(stage, ["--pack-destination", folder]);
  return { tarball: path.join(folder, filename), size, names: files.map(({ path: name }) => name) };
}

function checkBinaries(cpu) {
  const folder = path.join(root, "prebuilds", "linux-x64");
  const missing = (cpu ? BINARIES.slice(0, 1) : BINARIES).find((name) => !existsSync(path.join(folder, name)));
  if (missing) throw new Error(`${missing} is not in ${folder}: npm run build:prebuilds`);
}

async function bundle(file) {
  const built = await rolldown({
    input: path.join(dist, "index.js"),
    platform: "node",
    external: (id) => !/^[./]/.test(id),
    plugins: [{ name: "own-places", transform: (code, id) => keepPlaces(ownZod(code, id), id) }],
    onLog: (level, log, report) => log.code !== "INEFFECTIVE_DYNAMIC_IMPORT" && report(level, log),
  });
  await built.write({
    ...{ dir: path.dirname(file), format: "esm", comments: false, banner: BANNER },
    charset: "ascii", // Node keeps text with other letters in two bytes a letter, which takes longer to compile
    ...{ entryFileNames: "[name].js", chunkFileNames: "index-[name].js" },
    codeSplitting: { groups: [{ name: "core", tags: ["$initial"] }] },
  });
  await built.close();
}

async function bundleZod(folder) {
  // Its messages in other languages are most of it, and nobody asks for them.
  const load = (id) => (/\/locales\/index\.js$/.test(id) ? "export {};" : undefined);
  const built = await rolldown({ input: "zod", platform: "node", cwd: root, plugins: [{ name: "english", load }] });
  const file = path.join(folder, "zod.cjs");
  await built.write({ file, format: "cjs", exports: "named", comments: false, charset: "ascii", banner: ZOD_BANNER });
  await built.close();
  const module = path.join(folder, "zod.js");
  writeFileSync(module, ownZod(readFileSync(module, "utf8"), path.join(dist, "zod.js")));
}

/** The module that loads zod, loading that file. */
function ownZod(code, id) {
  if (path.relative(dist, id) !== "zod.js") return code;
  if (!code.includes('library("zod")')) throw new Error('dist/zod.js: no library("zod")');
  return code.replace('library("zod")', 'library("./zod.cjs")');
}

/** Modules name files beside them, such as the scripts of worker threads: they go on meaning those in dist. */
function keepPlaces(code, id) {
  const name = path.relative(dist, id);
  if (name.startsWith("..")) return undefined;
  if (/import\.meta\.(dirname|filename)/.test(code)) throw new Error(`${name}: only import.meta.url is carried over`);
  return code.replaceAll("import.meta.url", `new URL(${JSON.stringify(`./${name}`)}, import.meta.url).href`);
}

/** Without what only a checkout can use. */
function writeManifest(file) {
  const { scripts, devDependencies, allowScripts, ...manifest } = JSON.parse(readFileSync(file, "utf8"));
  writeFileSync(file, `${JSON.stringify(manifest, undefined, 2)}\n`);
}

function npmPack(cwd, options) {
  const json = execFileSync("npm", ["pack", "--ignore-scripts", "--json", ...options], { cwd, maxBuffer: 1 << 26 });
  return JSON.parse(json)[0];
}

if (process.argv[1] && path.resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  try {
    const { tarball, size } = await packageTarball({ cpu: process.argv.includes("--cpu") });
    console.log(`${path.relative(process.cwd(), tarball)}: ${(size / 1e6).toFixed(1)} MB`);
  } catch (error) {
    console.error(`package: ${error.message}`);
    process.exit(1);
  }
}
