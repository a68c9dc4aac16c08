// What the words of the dynamic linker mean, and what to do about them. They are those of glibc's dlopen and of musl's.

import { GLIBC_FLOOR, GLIBCXX_FLOOR, glibcVersion } from "../machine/libc.js";

export interface LoadFailure {
  readonly cause: string;
  /** What to do about it. */
  readonly fix: string;
}

/** The command that compiles the sources of the package where it is installed. */
export const BUILD_HERE = "build it with `npx videomae build-native`, which needs CMake and GCC";

/** What the words of the linker do not say. */
export interface Surroundings {
  /** Whether the file came with the package. */
  readonly prebuilt: boolean;
  /** This system's; empty where the C library is another. */
  readonly glibc?: string;
  readonly node?: string;
}

/** @param message  the message of the error that `require` of the file threw */
export function explainLoadError(message: string, surroundings: Surroundings): LoadFailure {
  const { prebuilt, glibc = glibcVersion() ?? "", node = process.versions.node } = surroundings;
  const again = prebuilt ? "install the package again" : "delete the folder build, and build again";
  const needs = /version [`'"](GLIBC|GLIBCXX|CXXABI)_([\d.]+)['"`] not found/.exec(message);
  if (needs?.[1] === "GLIBC") {
    const system = glibc === "" ? "this system has another C library" : `this system has ${glibc}`;
    // The linker names the first version that it misses, not the newest.
    if (!prebuilt) return { cause: `it needs glibc ${needs[2]}, and ${system}`, fix: again };
    const fix = `use a system with glibc ${GLIBC_FLOOR}: Debian 12, Ubuntu 22.04, RHEL 9 or newer`;
    return { cause: `it needs glibc ${GLIBC_FLOOR}, and ${system}`, fix };
  }
  if (needs) {
    const fix = `install the C++ library (libstdc++) of GCC 11 or newer, which has GLIBCXX_${GLIBCXX_FLOOR}`;
    return { cause: `it needs a newer C++ library (${needs[1]}_${needs[2]})`, fix: prebuilt ? fix : again };
  }
  if (prebuilt && glibc === "") {
    const cause = `it is linked with glibc, and this system has another C library, such as musl (${firstLine(message)})`;
    return { cause, fix: BUILD_HERE };
  }
  const library = /^(?:Error loading shared library )?(\S+): (?:cannot open shared object|No such file)/.exec(
    message,
  )?.[1];
  if (library && !library.endsWith(".node"))
    return { cause: `the library ${library} is not on this system`, fix: packageOf(library) };
  if (/undefined symbol: (napi|node_api)_/.test(message)) {
    return { cause: `Node ${node} lacks a function that it calls (${firstLine(message)})`, fix: "update Node" };
  }
  if (/NODE_MODULE_VERSION|did not self-register/.test(message))
    return { cause: `it is no Node-API module (${firstLine(message)})`, fix: again };
  if (/invalid ELF header|file too short|wrong ELF class|ELF file|Exec format|not a valid|truncated/i.test(message))
    return { cause: `it is damaged, or another machine's (${firstLine(message)})`, fix: again };
  if (/failed to map segment|Operation not permitted/.test(message)) {
    const cause = `programs may not be run from this file system (${firstLine(message)})`;
    return { cause, fix: "install the package on a file system that is not mounted noexec" };
  }
  if (/Permission denied/.test(message))
    return { cause: firstLine(message), fix: "let this user read the file, or install the package again as this user" };
  return { cause: firstLine(message), fix: again };
}

function packageOf(library: string): string {
  return /^libstdc\+\+|^libgcc_s/.test(library)
    ? "install the C++ library: libstdc++6 on Debian and Ubuntu, libstdc++ on RHEL and Fedora"
    : `install ${library}`;
}

function firstLine(message: string): string {
  return message.split("\n")[0];
}
