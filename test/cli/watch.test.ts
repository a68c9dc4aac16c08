// `videomae watch` as a user runs it.
import { spawn } from "node:child_process";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { temporaryFolder } from "../temporary-folder.js";
import { begin, update, write } from "../watch/growing-run.js";
import { Listener } from "../watch/listen.js";

const main = path.resolve(import.meta.dirname, "../../dist/cli/main.js");
const folder = temporaryFolder();

/** The command, its address when it is told, and how it ends. */
function watch(...args: string[]) {
  const child = spawn(process.execPath, [main, "watch", ...args], { stdio: ["ignore", "pipe", "pipe"] });
  let [stdout, stderr] = ["", ""];
  child.stderr.setEncoding("utf8").on("data", (text) => {
    stderr += text;
  });
  const url = new Promise<string>((resolve) => {
    child.stdout.setEncoding("utf8").on("data", (text) => {
      stdout += text;
      if (stdout.endsWith("\n")) resolve(stdout.trim());
    });
  });
  const end = new Promise<{ status: number | null; signal: NodeJS.Signals | null; stderr: string }>((resolve) =>
    child.on("close", (status, signal) => resolve({ status, signal, stderr })),
  );
  return { url, end, kill: (signal: NodeJS.Signals) => child.kill(signal) };
}

describe("videomae watch", () => {
  it("serves until Ctrl-C, closes what is open, and ends with status 130", async () => {
    const run = path.join(folder, "run");
    begin(run);
    write(run, update(3));
    const { url, end, kill } = watch(run, "--port", "0");
    const page = new Listener(`${await url}events`);
    await page.until(() => page.text("facts").includes("update 3 of 100"));
    kill("SIGINT");
    expect(await end).toEqual({ status: 130, signal: null, stderr: "\nno longer watching\n" });
    await page.ended;
    expect(page.events.at(-1)).toBe("bye");
  });

  it("warns where others can see the run", async () => {
    const { url, end, kill } = watch(path.join(folder, "open"), "--host", "0.0.0.0", "--port", "0");
    expect(await url).toMatch(/^http:\/\/0\.0\.0\.0:\d+\/$/);
    kill("SIGTERM");
    expect(await end).toMatchObject({ status: 143, signal: null });
    expect((await end).stderr).toMatch(/^warning: there is no password; whoever reaches this machine on/);
  });

  it("says what to do about a port in use", async () => {
    const other = createServer().listen(0, "127.0.0.1");
    await new Promise((resolve) => other.once("listening", resolve));
    const { port } = other.address() as AddressInfo;
    const inUse = await watch(folder, "--port", `${port}`).end;
    other.close();
    expect(inUse).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/^videomae: watch on http:\/\/127.*in use\..*--port 0/),
    });
  });
});
