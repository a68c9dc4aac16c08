// Runs Python code for tests that compare with files of its libraries. `VIDEOMAE_PYTHON` names an interpreter that has
// them; without it, or without a library, these tests are skipped, and a line says so.

import { execFileSync, spawnSync } from "node:child_process";

const interpreter = process.env.VIDEOMAE_PYTHON;

/** Whether there is an interpreter with these modules. */
export function havePython(...modules: readonly string[]): boolean {
  const reason = missing(modules);
  if (reason !== undefined) console.log(`skipped: ${reason}`);
  return reason === undefined;
}

function missing(modules: readonly string[]): string | undefined {
  if (interpreter === undefined) return `no Python with ${modules.join(", ")}; name one in VIDEOMAE_PYTHON`;
  const { status } = spawnSync(interpreter, ["-c", `import ${modules.join(", ")}`], { stdio: "ignore" });
  return status === 0 ? undefined : `${interpreter} lacks one of ${modules.join(", ")}`;
}

/** Runs code with arguments, and returns what it printed. */
export function python(code: string, ...args: readonly string[]): string {
  return execFileSync(interpreter as string, ["-c", code, ...args], { encoding: "utf8", maxBuffer: 2 ** 28 });
}
