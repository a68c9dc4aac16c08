// The code blocks of README.md and docs/*.md, with what an HTML comment before a block says of it:
//
//   <!-- snippet: skip REASON -->     nothing is done with it
//   <!-- snippet: check REASON -->    TypeScript is type-checked, command lines are parsed; neither is run
//   <!-- snippet: check "videomae x" REASON -->   the same (or skip) of the lines that begin so, without what comes before
//   <!-- snippet: file NAME -->       the block is a file of that name, which later blocks use
//   <!-- snippet: file NAME; videomae COMMAND ... -->   and the command is run on it
//   <!-- snippet: setup               what comes before the code, unseen by the reader
//   code
//   -->
//   <!-- snippet: small               what is replaced before it is run, so that it is quick; each text must be there
//   written => run
//   -->
//
// Without a comment TypeScript and command lines are run. YAML and JSON are files, so they need one. Several comments may
// stand before a block, each on lines of its own.

import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { checkout } from "../../bench/checkout.js";

const KINDS = { ts: "script", js: "script", bash: "commands", sh: "commands", console: "commands" } as const;
const FILES = ["yaml", "json"];

/** What is done with the lines of a block that begin so, `npx` and variables left out. */
export interface LineTreatment {
  readonly start: string;
  readonly treatment: "check" | "skip";
  readonly reason: string;
}

export interface Snippet {
  /** From the checkout's root, e.g. `docs/data.md`. */
  readonly page: string;
  /** Of the opening fence, from 1. */
  readonly line: number;
  readonly language: string;
  /** `usage` are blocks without a language that begin with a command: what stands in a manual. */
  readonly kind: "script" | "commands" | "file" | "usage";
  /** As written. */
  readonly text: string;
  readonly treatment: "run" | "check" | "skip";
  /** Why it is not run. */
  readonly reason: string;
  /** Lines of commands that are treated otherwise. */
  readonly lines: readonly LineTreatment[];
  /** Name of the file that the block is, and the command that is run on it. */
  readonly file: string | undefined;
  readonly command: string | undefined;
  /** Lines before those of the block. */
  readonly setup: readonly string[];
  /** What is replaced before it is run. */
  readonly small: readonly (readonly [written: string, run: string])[];
}

/** Every block of all pages that code can be made of, in order. */
export function allSnippets(): Snippet[] {
  const pages = readdirSync(path.join(checkout, "docs")).filter((name) => name.endsWith(".md"));
  return ["README.md", ...pages.sort().map((name) => `docs/${name}`)].flatMap((page) =>
    snippetsOf(page, readFileSync(path.join(checkout, page), "utf8")),
  );
}

/**
 * The blocks of one page.
 * @throws Error for a comment that says nothing we know, or that no block follows
 */
export function snippetsOf(page: string, markdown: string): Snippet[] {
  const lines = markdown.split("\n");
  const found: Snippet[] = [];
  let comments: string[] = [];
  for (let i = 0; i < lines.length; i++) {
    const line = i + 1;
    if (lines[i].startsWith("<!-- snippet:")) {
      const end = lines.findIndex((text, at) => at >= i && text.endsWith("-->"));
      if (end < 0) throw new Error(`${page}:${line} the comment has no end`);
      comments.push(
        lines
          .slice(i, end + 1)
          .join("\n")
          .slice("<!-- snippet:".length, -"-->".length)
          .trim(),
      );
      i = end;
      continue;
    }
    const fence = /^```(\w*)$/.exec(lines[i]);
    if (!fence) {
      if (comments.length > 0 && lines[i] !== "") throw new Error(`${page}:${line} a comment of a snippet without one`);
      continue;
    }
    const end = lines.indexOf("```", i + 1);
    if (end < 0) throw new Error(`${page}:${line} the block has no end`);
    const text = lines.slice(i + 1, end).join("\n");
    const snippet = described(`${page}:${line}`, { page, line, language: fence[1], text }, comments);
    if (snippet) found.push(snippet);
    comments = [];
    i = end;
  }
  if (comments.length > 0) throw new Error(`${page}: a comment of a snippet at the end`);
  return found;
}

type Block = Pick<Snippet, "page" | "line" | "language" | "text">;

function described(place: string, block: Block, comments: readonly string[]): Snippet | undefined {
  let [treatment, reason]: [Snippet["treatment"], string] = ["run", ""];
  let file: string | undefined;
  let command: string | undefined;
  const lines: LineTreatment[] = [];
  const setup: string[] = [];
  const small: (readonly [string, string])[] = [];
  for (const comment of comments) {
    const [, verb, rest] = /^(\w+)\s*([\s\S]*)$/.exec(comment) ?? [];
    const mistake = (what: string) => new Error(`${place} "<!-- snippet: ${comment} -->": ${what}`);
    if (verb === "skip" || verb === "check") {
      const [, start, why] = /^(?:"([^"]+)"\s*)?(.*)$/s.exec(rest) ?? [];
      if (!why) throw mistake("give the reason");
      if (start === undefined) [treatment, reason] = [verb, why];
      else if (!block.text.replace(/ +/g, " ").includes(start)) throw mistake("no line of the block is like that");
      else lines.push({ start, treatment: verb, reason: why });
    } else if (verb === "file") {
      [file, command] = rest.split(/;\s*/);
    } else if (verb === "setup") {
      setup.push(...rest.split("\n"));
    } else if (verb === "small") {
      for (const line of rest.split("\n")) {
        const [written, run] = line.split(" => ");
        if (run === undefined || !block.text.includes(written)) throw mistake(`"${written}" is not in the block`);
        small.push([written, run]);
      }
    } else throw mistake("expected skip, check, file, setup or small");
  }
  const kind = kindOf(block);
  if (kind === undefined) {
    if (comments.length > 0) throw new Error(`${place} nothing is done with a block of "${block.language}"`);
    return undefined;
  }
  if (kind === "file" && file === undefined && treatment === "run") {
    throw new Error(`${place} say which file this is: <!-- snippet: file NAME -->`);
  }
  return { ...block, kind, treatment, reason, lines, file, command, setup, small };
}

function kindOf({ language, text }: Block): Snippet["kind"] | undefined {
  if (Object.hasOwn(KINDS, language)) return KINDS[language as keyof typeof KINDS];
  if (FILES.includes(language)) return "file";
  return language === "" && text.startsWith("videomae ") ? "usage" : undefined;
}

/** The block as it is run. */
export function smallText({ text, small }: Snippet): string {
  return small.reduce((replaced, [written, run]) => replaced.replaceAll(written, run), text);
}
