// Where the native binary is looked for, and what is said when none loads. The packages are folders made up here.
import { copyFileSync, mkdirSync, realpathSync, writeFileSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { findBinary, noBinary } from "#lib/addon/find-binary.js";
import { explainLoadError } from "#lib/addon/load-failure.js";
import { temporaryFolder } from "../temporary-folder.js";

const folder = realpathSync(temporaryFolder());
const target = `${process.platform}-${process.arch}`;
const real = findBinary().binary!.file;
let packages = 0;

/** A package with these files; `true` is a binary that loads. */
function packageWith(files: Record<string, string | true>): string {
  const root = path.join(folder, String(packages++));
  mkdirSync(root);
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(path.dirname(path.join(root, name)), { recursive: true });
    if (content === true) copyFileSync(real, path.join(root, name));
    else writeFileSync(path.join(root, name), content);
  }
  return root;
}

const found = (root: string) => path.relative(root, findBinary(root).binary?.file ?? "none");

test("a binary built here comes first, then the prebuilt one; what does not load is passed over", () => {
  const [built, debug, prebuilt] = ["build/Release/a.node", "build/Debug/a.node", `prebuilds/${target}/a.node`];
  expect(found(packageWith({ [built]: true, [debug]: true, [prebuilt]: true }))).toBe(built);
  expect(found(packageWith({ [debug]: true, [prebuilt]: true }))).toBe(debug);
  expect(found(packageWith({ [prebuilt]: true, "prebuilds/linux-none/a.node": "x" }))).toBe(prebuilt);

  const search = findBinary(packageWith({ [built]: "no library", [prebuilt]: true }));
  expect(search.binary?.file).toMatch(prebuilt);
  expect(search.failed).toMatchObject([{ place: built, fix: "delete the folder build, and build again" }]);
});

test("one error tells every place, with a cause and a remedy each", () => {
  const nothing = noBinary(findBinary(packageWith({})));
  expect(nothing.message).toBe(
    `videomae: expected a native binary for ${target} that loads; got build/Release: nothing was built on this machine (build it with \`npx videomae build-native\`, which needs CMake and GCC); prebuilds/${target}: this copy of the package has no prebuilt binaries (install the package from its registry). Hint: videomae doctor looks at all that a run needs`,
  );
  const foreign = noBinary(findBinary(packageWith({ "prebuilds/linux-none/a.node": "x" })));
  expect(foreign.got).toContain(`prebuilds/${target}: there is a prebuilt binary for linux-none alone (build it with`);

  const damaged = packageWith({ "build/Debug/a.node": "no library at all", [`prebuilds/${target}/a.node`]: "" });
  expect(noBinary(findBinary(damaged)).got).toMatch(
    /^build\/Release: nothing .*; build\/Debug\/a\.node: it is damaged, or another machine's \(.+\) \(delete .*; prebuilds\/\S+\/a\.node: it is damaged.* \(install the package again\)$/,
  );
});

test.each([
  [
    "an older glibc",
    "/lib/x86_64-linux-gnu/libc.so.6: version `GLIBC_2.32' not found (required by /p/videomae.node)",
    { prebuilt: true, glibc: "2.31" },
    "it needs glibc 2.34, and this system has 2.31",
    /^use a system with glibc 2\.34: /,
  ],
  [
    "an older C++ library",
    "/lib64/libstdc++.so.6: version `GLIBCXX_3.4.29' not found (required by /p/videomae.node)",
    { prebuilt: true, glibc: "2.34" },
    "it needs a newer C++ library (GLIBCXX_3.4.29)",
    /^install the C\+\+ library/,
  ],
  [
    "musl",
    "Error loading shared library ld-linux-x86-64.so.2: No such file or directory (needed by /p/videomae.node)",
    { prebuilt: true, glibc: "" },
    /^it is linked with glibc, and this system has another C library, such as musl/,
    /^build it with/,
  ],
  [
    "no C++ library",
    "libstdc++.so.6: cannot open shared object file: No such file or directory",
    { prebuilt: true, glibc: "2.36" },
    "the library libstdc++.so.6 is not on this system",
    /^install the C\+\+ library: libstdc\+\+6 on Debian/,
  ],
  [
    "an old Node",
    "/p/videomae.node: undefined symbol: node_api_symbol_for",
    { prebuilt: true, glibc: "2.36", node: "18.0.0" },
    /^Node 18\.0\.0 lacks a function/,
    "update Node",
  ],
  [
    "another kind of module",
    "The module '/p/videomae.node' was compiled against a different Node.js version using\nNODE_MODULE_VERSION 93.",
    { prebuilt: false, glibc: "2.36" },
    /^it is no Node-API module/,
    "delete the folder build, and build again",
  ],
  [
    "another processor",
    "/p/videomae.node: cannot open shared object file: Exec format error",
    { prebuilt: true, glibc: "2.36" },
    /^it is damaged, or another machine's/,
    "install the package again",
  ],
  [
    "noexec",
    "/p/videomae.node: failed to map segment from shared object",
    { prebuilt: true, glibc: "2.36" },
    /^programs may not be run from this file system/,
    /noexec$/,
  ],
  [
    "no right to read",
    "/p/videomae.node: cannot open shared object file: Permission denied",
    { prebuilt: true, glibc: "2.36" },
    /Permission denied$/,
    /^let this user read/,
  ],
  ["anything else", "strange\nthings", { prebuilt: false, glibc: "2.36" }, "strange", /^delete the folder build/],
])("%s is told by its words", (_, message, surroundings, cause, fix) => {
  const failure = explainLoadError(message, surroundings);
  expect(failure.cause).toMatch(cause);
  expect(failure.fix).toMatch(fix);
});
