// Every code block of README.md and docs/*.md does what the page says: it is run in a small size, or, where its comment
// gives a reason, checked only (see snippets.ts).
import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { temporaryFolder } from "../temporary-folder.js";
import { type CommandLine, commandLines, findCommand, parseLine, runLine, runNode } from "./command-lines.js";
import { allSnippets, type Snippet, smallText, snippetsOf } from "./snippets.js";
import { compile } from "./type-check.js";
import { fillWorkspace } from "./workspace.js";

const folder = temporaryFolder();
const snippets = allSnippets();
const scripts = snippets.filter(({ kind, treatment }) => kind === "script" && treatment !== "skip");
const fileOf = ({ page, line }: Snippet) => path.join(folder, `${path.basename(page, ".md")}-${line}.mts`);
const scriptText = (snippet: Snippet) => [...snippet.setup, smallText(snippet)].join("\n");
/** A script with a mistake, to see that it is found. */
const wrong = path.join(folder, "wrong.mts");
let mistakes: Map<string, string[]>;

beforeAll(async () => {
  await fillWorkspace(folder);
  for (const script of scripts) writeFileSync(fileOf(script), scriptText(script));
  writeFileSync(
    wrong,
    'import { pretrainModel } from "videomae";\n\nconst model: string = pretrainModel("vit-tiny");\n',
  );
  mistakes = compile([...scripts.map(fileOf), wrong]);
}, 300_000);

afterAll(() => {
  const treated = snippets.filter(({ kind }) => kind !== "usage");
  const run = treated.filter(({ treatment }) => treatment === "run").length;
  const others = treated.flatMap(({ page, line, treatment, reason, lines }) => [
    ...(treatment === "run" ? [] : [{ place: `${page}:${line}`, treatment, reason }]),
    ...lines.map(({ start, ...told }) => ({ place: `${page}:${line} ${start} ...`, ...told })),
  ]);
  const count = (wanted: string) => others.filter(({ treatment }) => treatment === wanted).length;
  const usage = snippets.filter(({ kind }) => kind === "usage").length;
  console.log(
    `snippets: ${run} run, ${count("check")} checked only, ${count("skip")} skipped; ${usage} usages checked`,
  );
  for (const { place, treatment, reason } of others) {
    console.log(`  ${place} ${treatment === "skip" ? "skipped" : "checked only"}: ${reason}`);
  }
});

/** What is done with a block, a test each: with commands a line each. */
function casesOf(snippet: Snippet): (readonly [name: string, run: () => Promise<void>])[] {
  const place = `${snippet.page}:${snippet.line}`;
  const ofLines = (lines: readonly CommandLine[]) =>
    lines.flatMap((line) => {
      const text = line.words.join(" ");
      const { treatment } = snippet.lines.find(({ start }) => text.startsWith(start)) ?? snippet;
      return treatment === "skip" ? [] : [[`${place} ${text}`, () => runOrParse(line, treatment)] as const];
    });
  if (snippet.treatment === "skip") return [];
  if (snippet.kind === "usage") return [[`${place} usage`, () => checkUsage(snippet.text)]];
  if (snippet.kind === "commands") return ofLines(commandLines(smallText(snippet)));
  if (snippet.kind === "script") return [[`${place} ${snippet.language}`, () => runScript(snippet)]];
  return [
    [`${place} ${snippet.file}`, async () => writeNamed(snippet.file!, smallText(snippet))],
    ...ofLines(commandLines(snippet.command ?? "")),
  ];
}

async function runOrParse(line: CommandLine, treatment: Snippet["treatment"]): Promise<void> {
  if (treatment === "check") return parseLine(line);
  const { status, output } = await runLine(line, folder);
  expect(status, output).toBe(0);
}

async function runScript(snippet: Snippet): Promise<void> {
  expect(mistakes.get(fileOf(snippet)), scriptText(snippet)).toEqual([]);
  if (snippet.treatment === "check") return;
  const { status, output } = await runNode([fileOf(snippet).replace(/mts$/, "mjs")], folder);
  expect(status, output).toBe(0);
}

function writeNamed(name: string, text: string): void {
  const file = path.join(folder, name);
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, text);
}

// In the order of the pages, each block after those before it: later ones use what earlier ones have made.
it.each(snippets.flatMap(casesOf))("%s", async (_, run) => run());

/** Every option that a manual's line names must be one of the command's. */
async function checkUsage(text: string): Promise<void> {
  for (const usage of text.split(/\n(?=videomae )/)) {
    const command = await findCommand(usage.split(/\s+/).slice(1));
    const known = command.options.map(({ long }) => long);
    for (const [flag] of usage.matchAll(/--[a-z][a-z0-9-]*/g)) {
      expect(known, `${command.name()} ${flag}`).toContain(flag);
    }
  }
}

describe("what is wrong is found", () => {
  const page = (text: string) => snippetsOf("page.md", text)[0];

  it("comments that say nothing", () => {
    expect(() => page("<!-- snippet: skip -->\n```sh\nls\n```")).toThrow(/give the reason/);
    expect(() => page("<!-- snippet: skp it -->\n```sh\nls\n```")).toThrow(/page\.md:2.*expected skip/);
    expect(() => page("<!-- snippet: small\n10 => 1\n-->\n```ts\n20;\n```")).toThrow(/"10" is not in the block/);
    expect(() => page('<!-- snippet: check "videomae x" it -->\n```sh\nls\n```')).toThrow(/no line of the block/);
    expect(() => page("<!-- snippet: skip it -->\n\nText")).toThrow(/without one/);
    expect(() => page("```yaml\na: 1\n```")).toThrow(/say which file/);
  });

  it("commands and options that are not there", async () => {
    const parse = (text: string) => parseLine(commandLines(text)[0]);
    await parse("npx videomae pretrain clips/ --steps 5   # five updates");
    await expect(parse("videomae pretrain clips/ --stepps 5")).rejects.toThrow(/unknown option '--stepps'/);
    await expect(parse("videomae pretrian clips/")).rejects.toThrow(/unknown command 'pretrian'/);
    await expect(parse("videomae report")).rejects.toThrow(/missing required argument/);
    await expect(parse("npm run nothing")).rejects.toThrow(/no such script/);
    await expect(parse("npm install node-av@1.0.0")).rejects.toThrow(/peer dependencies/);
    await expect(parse("ls")).rejects.toThrow(/not a command of this package/);
    expect(() => commandLines("videomae recipes > mine.yaml")).toThrow(/only a shell/);
    await expect(checkUsage("videomae report <run> [--pages 3]")).rejects.toThrow(/report --pages/);
  });

  it("types that do not fit, and what fails when it is run", async () => {
    expect(mistakes.get(wrong)?.[0]).toMatch(/^3: Type 'PretrainModel' is not assignable to type 'string'/);
    expect((await runLine(commandLines("videomae report runs/none")[0], folder)).status).toBe(1);
  });
});
