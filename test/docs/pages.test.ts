// What pages say of the code and of each other: quoted errors occur in the sources, links lead somewhere, every page is in
// the index.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import type { Command } from "commander";
import { expect, it } from "vitest";
import { program } from "#lib/cli/program.js";
import { checkout } from "../../bench/checkout.js";

const pages = readdirSync(path.join(checkout, "docs")).filter((name) => name.endsWith(".md"));
const read = (file: string) => readFileSync(path.join(checkout, file), "utf8");

/** The sources of the product, strings that go on in the next line joined. */
const sources = ["lib", "native/core", "native/ops", "native/cuda"].flatMap((folder) =>
  readdirSync(path.join(checkout, folder), { recursive: true, encoding: "utf8" })
    .filter((name) => /\.(ts|cpp|h)$/.test(name))
    .map((name) => read(path.join(folder, name)).replace(/"\s*\n\s*"/g, "")),
);

/** Whether one source has all that is fixed of a quoted text; `<...>` stands for what differs. */
function occurs(quoted: string): boolean {
  const fixed = quoted.split(/<[^>]*>/).map((part) => part.replace(/^(.*): expected /, "$1").trim());
  const wanted = fixed.filter((part) => part !== "");
  return (
    wanted.some((part) => part.length >= 10) && sources.some((source) => wanted.every((part) => source.includes(part)))
  );
}

it("every quoted error occurs in the sources", () => {
  const quoted = [...read("docs/troubleshooting.md").matchAll(/^\| `([^`]+)` \|/gm)].map(([, text]) => text);
  expect(quoted.length).toBeGreaterThan(30);
  expect(quoted.filter((text) => !occurs(text))).toEqual([]);
  expect(["an error that nobody throws", "<this> or <that>"].map(occurs)).toEqual([false, false]);
});

it("every page is in the index", () => {
  const index = read("docs/README.md");
  expect(pages.filter((page) => page !== "README.md" && !index.includes(`(${page})`))).toEqual([]);
});

/** Every option of every command. */
async function knownFlags(): Promise<Set<string>> {
  const flags = new Set<string>();
  const collect = (command: Command) => {
    for (const { long } of command.options) if (long) flags.add(long);
    for (const child of command.commands) collect(child);
  };
  for (const { name } of (await program([])).commands.map((command) => ({ name: command.name() }))) {
    collect(await program([name]));
  }
  return flags;
}

it("every option that a page names is one of a command", async () => {
  const known = await knownFlags();
  expect(known.size).toBeGreaterThan(50);
  // Commander's own, npm's, TensorBoard's, and the published code's; docs/kernels.md is about the tests of kernels.
  const others = ["--help", "--ignore-scripts", "--offline", "--logdir", "--normlize"];
  const named = pages
    .filter((page) => page !== "kernels.md")
    .flatMap((page) =>
      [...read(`docs/${page}`).matchAll(/`[^`\n]+`/g)].flatMap(([code]) =>
        [...code.matchAll(/(?<![\w-])--[a-z][a-z0-9-]*/g)].map(([flag]) => ({ page, flag })),
      ),
    );
  expect(named.length).toBeGreaterThan(100);
  expect(named.filter(({ flag }) => !known.has(flag) && !others.includes(flag))).toEqual([]);
});

/** The anchors of a page's headings, as GitHub makes them. */
function anchorsOf(markdown: string): string[] {
  return [...markdown.replace(/^```[\s\S]*?^```$/gm, "").matchAll(/^#+ (.+)$/gm)].map(([, heading]) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, "")
      .replaceAll(" ", "-"),
  );
}

it.each(["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", ...pages.map((page) => `docs/${page}`)])(
  "links of %s lead somewhere",
  (page) => {
    const links = [...read(page).matchAll(/\]\(([^)\s]+)\)/g)].map(([, link]) => link);
    const broken = links.filter((link) => {
      if (/^https?:/.test(link)) return false;
      const [file, anchor] = link.split("#");
      const target = file === "" ? page : path.join(path.dirname(page), file);
      if (!existsSync(path.join(checkout, target))) return true;
      return anchor !== undefined && !anchorsOf(read(target)).includes(anchor);
    });
    expect(broken).toEqual([]);
  },
);
