// One run at a time in a folder: two would overwrite each other's checkpoints and mix their logs. `run.lock` names the
// process that writes to the folder, by host, number and start time, since numbers are used again. A lock whose process
// runs no more is that of a killed run and is taken over; so is one of another host, whose processes cannot be seen
// from here and which may be gone.
import { readFileSync, rmSync } from "node:fs";
import { hostname } from "node:os";
import path from "node:path";
import { VideomaeError } from "../errors.js";
import { writeFileAtomic } from "../io/atomic-file.js";

interface Owner {
  readonly host: string;
  readonly process: number;
  /** Clock ticks from the start of the machine to that of the process. */
  readonly started: string;
}

/**
 * Takes a folder for this process until the lock is disposed of.
 * @throws VideomaeError when another run has it, or the file system refuses
 */
export function lockFolder(folder: string): Disposable {
  const file = path.join(folder, "run.lock");
  const owner = readOwner(file);
  if (owner !== undefined && isHere(owner) && runs(owner)) {
    throw new VideomaeError({
      op: folder,
      expected: "a folder that no other run writes to",
      got: `one that process ${owner.process} writes to`,
      hint: "wait for it, stop it, or choose another folder with --out",
    });
  }
  const own: Owner = { host: hostname(), process: process.pid, started: startOf(process.pid) ?? "" };
  writeFileAtomic(file, (sink) => sink(new TextEncoder().encode(`${JSON.stringify(own)}\n`)));
  return { [Symbol.dispose]: () => release(file) };
}

/** The process that writes to a folder. */
export interface Writer {
  readonly host: string;
  readonly process: number;
  /** Whether it still runs; undefined when it is one of another host, which cannot be seen from here. */
  readonly running: boolean | undefined;
}

/** Whom the lock of a folder names; undefined when there is none, or it cannot be read. */
export function writerOf(folder: string): Writer | undefined {
  const owner = readOwner(path.join(folder, "run.lock"));
  if (owner === undefined) return undefined;
  return { host: owner.host, process: owner.process, running: isHere(owner) ? runs(owner) : undefined };
}

function isHere({ host }: Owner): boolean {
  return host === hostname();
}

function runs({ process, started }: Owner): boolean {
  return startOf(process) === started;
}

/** A lock that cannot be removed, because the disk refuses, is taken over once this process has ended. */
function release(file: string): void {
  try {
    rmSync(file, { force: true });
  } catch {}
}

/** Whom a lock names; undefined when there is none, or it cannot be read. */
function readOwner(file: string): Owner | undefined {
  try {
    return JSON.parse(readFileSync(file, "utf8"));
  } catch {
    return undefined;
  }
}

/** When a process of this machine was started; undefined when it runs no more. */
function startOf(number: number): string | undefined {
  try {
    const status = readFileSync(`/proc/${number}/stat`, "utf8");
    // The second field is a name in brackets that may hold anything; the start time is the 20th after it.
    return status.slice(status.lastIndexOf(")") + 2).split(" ")[19];
  } catch {
    return undefined;
  }
}
