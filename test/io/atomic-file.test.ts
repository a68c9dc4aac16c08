import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { VideomaeError } from "#lib/errors.js";
import { explainFileError, linkFileAtomic, removeLeftovers, writeFileAtomic } from "#lib/io/atomic-file.js";
import { temporaryFolder } from "../temporary-folder.js";

const folder = temporaryFolder();
const bytes = new TextEncoder().encode("new");

test("a file is written or replaced whole", () => {
  const path = join(folder, "a");
  writeFileAtomic(path, (sink) => sink(bytes));
  writeFileAtomic(path, (sink) => {
    sink(bytes);
    sink(bytes);
  });
  expect(readFileSync(path, "utf8")).toBe("newnew");
  expect(readdirSync(folder)).toEqual(["a"]);
});

test("a failure while writing leaves the old file and no temporary one", () => {
  const path = join(folder, "b");
  writeFileSync(path, "old");
  const failure = () =>
    writeFileAtomic(path, (sink) => {
      sink(bytes);
      throw new Error("stop");
    });
  expect(failure).toThrow("stop");
  expect(readFileSync(path, "utf8")).toBe("old");
  expect(readdirSync(folder).filter((name) => name.endsWith(".tmp"))).toEqual([]);
});

test("what the file system refuses is an error with the path and a remedy", () => {
  expect(() => writeFileAtomic(join(folder, "none", "c"), (sink) => sink(bytes))).toThrow(
    /none\/c.*folder.*must exist/,
  );
  mkdirSync(join(folder, "d"));
  expect(() => writeFileAtomic(join(folder, "d"), (sink) => sink(bytes))).toThrow(
    /write .*d: got the path is a folder/,
  );
  expect(readdirSync(folder).filter((name) => name.endsWith(".tmp"))).toEqual([]);
});

test.each([
  ["ENOSPC", /no space left.*free some space/],
  ["EROFS", /read-only.*writable disk/],
  ["EACCES", /permission denied.*permissions/],
  ["EIO", /the disk failed/],
  ["EFBIG", /larger than files may be.*ulimit -f/],
  ["EOTHER", /input\/output/],
])("%s is explained", (code, message) => {
  const cause = Object.assign(new Error("input/output error"), { code, syscall: "write" });
  const error = explainFileError("write", "/x/y", cause) as VideomaeError;
  expect(error).toBeInstanceOf(VideomaeError);
  expect(error.message).toMatch(message);
  expect(error.message).toContain("write /x/y");
  expect(error.cause).toBe(cause);
});

test("a link is another name of the same file, also where it is one already", () => {
  const [target, name] = [join(folder, "target"), join(folder, "name")];
  writeFileSync(target, "1");
  for (let i = 0; i < 2; i++) {
    linkFileAtomic(target, name);
    expect(statSync(name).ino).toBe(statSync(target).ino);
  }
  writeFileAtomic(target, (sink) => sink(bytes));
  expect(readFileSync(name, "utf8")).toBe("1");
  expect(readdirSync(folder).filter((file) => file.endsWith(".tmp"))).toEqual([]);
  expect(() => linkFileAtomic(join(folder, "absent"), name)).toThrow(/link .*name: got no such file/);
});

test("only what processes left that run no more is removed", () => {
  const below = join(folder, "run");
  mkdirSync(below);
  const left = [".a.safetensors.4194999-0.tmp", `.b.${process.pid}-12.tmp`];
  const kept = [`.c.${process.ppid}-0.tmp`, "d.tmp", ".e.4194999.tmp", "checkpoint-1.safetensors"];
  for (const name of [...left, ...kept]) writeFileSync(join(below, name), "");
  expect(removeLeftovers(below).sort()).toEqual(left);
  expect(readdirSync(below).sort()).toEqual(kept.sort());
});
