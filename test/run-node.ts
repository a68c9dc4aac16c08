// Runs a script of the tests in a process of its own: for what a test must survive (crashes), measure (memory, collection)
// or set before the start (environment, flags).
import { execFile } from "node:child_process";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export interface NodeRun {
  /** Exit status; null when a signal ended the process. */
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * Runs `node [flags] test/<script> [args]`.
 * @param script  relative to the test folder
 */
export function runNode(
  script: string,
  options: { flags?: string[]; args?: string[]; env?: Record<string, string>; timeout?: number } = {},
): Promise<NodeRun> {
  const folder = dirname(fileURLToPath(import.meta.url));
  const argv = [...(options.flags ?? []), join(folder, script), ...(options.args ?? [])];
  const env = { ...process.env, ...options.env };
  return new Promise((resolve) => {
    const child = execFile(
      process.execPath,
      argv,
      { env, timeout: options.timeout ?? 100_000, killSignal: "SIGKILL", maxBuffer: 1 << 26 },
      (_error, stdout, stderr) => resolve({ status: child.exitCode, stdout, stderr }),
    );
  });
}
