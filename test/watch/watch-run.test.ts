// The server of `videomae watch` over loopback: what pages are told while a folder grows, is cut and is moved, and what is
// refused.
import { readdirSync, readFileSync, renameSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import path from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { EventFile } from "#lib/log/event-file.js";
import { lockFolder } from "#lib/train/run-lock.js";
import { type RunWatch, watchRun } from "#lib/watch/watch-run.js";
import { temporaryFolder } from "../temporary-folder.js";
import { begin, picture, range, STEPS, train, update, write } from "./growing-run.js";
import { Listener } from "./listen.js";

const folder = temporaryFolder();
const watches: RunWatch[] = [];
const listeners: Listener[] = [];

afterEach(async () => {
  for (const listener of listeners.splice(0)) listener.stop();
  for (const watch of watches.splice(0)) await watch.close();
});

async function watching(run: string): Promise<RunWatch> {
  const watch = await watchRun(run, { port: 0, pollMs: 50 });
  watches.push(watch);
  return watch;
}

function listen({ url }: RunWatch, stage?: string): Listener {
  const listener = new Listener(`${url}events${stage === undefined ? "" : `?stage=${stage}`}`);
  listeners.push(listener);
  return listener;
}

describe("a run that goes on", () => {
  it("is waited for, and told as it comes", async () => {
    const run = path.join(folder, "not-yet", "run");
    const page = listen(await watching(run));
    await page.until(() => page.text("state").includes("no folder"));
    begin(run, "data: <b>clips</b>\nmodel: vit-small\n");
    rmSync(path.join(run, "log.jsonl"));
    await page.until(() => page.text("state").includes("no log.jsonl yet"));
    using lock = lockFolder(run);
    write(run, { event: "note", note: "a <i>note</i>" });
    await page.until(() => page.text("state") === "Starting");
    write(run, update(1), update(2, { loss: Number.NaN, skipped: true }));
    await page.until(() => page.text("facts").startsWith("update 2 of 100"));
    expect(page.text("state")).toBe("Training");
    expect(page.text("facts")).toContain("loss not finite");
    expect(page.text("facts")).toContain("skipped updates 1");
    expect(page.window).toBe("2 % · run");
    expect([page.steps("loss"), page.skipped]).toEqual([[1], [2]]);
    write(run, { event: "validation", update: 2, loss: 1.5, top1: 0.25, top5: 0.75 });
    await page.until(() => page.text("facts").includes("top-1 25.0 %"));
    expect([page.means("top1"), page.means("validationLoss")]).toEqual([[25], [1.5]]);
    expect(page.sections.title).toContain("&lt;b&gt;clips&lt;/b&gt;");
    expect(page.sections.details).toContain("a &lt;i&gt;note&lt;/i&gt;");
    write(run, ...range(3, STEPS).map((step) => update(step)));
    await page.until(() => page.text("state") === "Finishing");
    lock[Symbol.dispose]();
    await page.until(() => page.text("state") === "Finished");
    expect(page.steps("loss")).toEqual([1, ...range(3, STEPS)]);
    expect(page.events.filter((event) => event === "hello")).toHaveLength(1);
  });

  it("shows speed and pictures out of its event files, and only what was not undone", async () => {
    const run = path.join(folder, "events");
    begin(run);
    const first = new EventFile(run, 1, () => 1_000_000);
    train(run, first, 1, 10);
    const length = statSync(path.join(run, "log.jsonl")).size;
    const [red, blue] = [await picture("red"), await picture("blue")];
    first.picture(10, "reconstruction/0", red);
    const watch = await watching(run);
    const page = listen(watch);
    await page.until(() => page.text("pictures").includes("clip 1, after update 10"));
    await page.until(() => page.text("facts").includes("clips a second 80.0 waiting for data 50 %"));
    expect(page.steps("clipsPerSecond")).toEqual(range(2, 10));
    const shown = async () => {
      const [, source] = /src="(\/picture[^"]*)"/.exec(page.sections.pictures!)!;
      const answer = await fetch(new URL(source.replaceAll("&amp;", "&"), watch.url));
      expect(answer.headers.get("content-type")).toBe("image/png");
      return Buffer.from(await answer.arrayBuffer());
    };
    expect(await shown()).toEqual(red.bytes);
    train(run, first, 11, 20);
    first.picture(20, "reconstruction/0", blue);
    first.close();
    await page.until(() => page.text("pictures").includes("after update 20"));
    expect(await shown()).toEqual(blue.bytes);
    expect(page.steps("loss")).toEqual(range(1, 20));

    // Killed, and gone on from update 10: between two looks the log is cut and grows again.
    truncateSync(path.join(run, "log.jsonl"), length);
    write(run, { event: "resumed", update: 10, checkpoint: "checkpoint-10" });
    using second = new EventFile(run, 11, () => 2_000_000);
    train(run, second, 11, 13);
    await page.until(() => page.steps("loss")?.at(-1) === 13 && page.text("pictures").includes("after update 10"));
    await page.until(() => page.steps("clipsPerSecond")?.at(-1) === 13);
    expect(page.steps("loss")).toEqual(range(1, 13));
    expect(await shown()).toEqual(red.bytes);
    expect(page.text("details")).toContain("resumed update 10");
  });

  it("shows another run that takes the folder, and speed by when lines come where there are no event files", async () => {
    const run = path.join(folder, "anew");
    begin(run);
    using old = new EventFile(run, 1, () => 1_000_000);
    train(run, old, 1, 30);
    old.picture(30, "reconstruction/0", await picture("red"));
    const page = listen(await watching(run));
    await page.until(() => page.text("pictures").includes("after update 30"));
    renameSync(run, `${run}-aside`);
    begin(run);
    for (const step of [1, 2, 3]) {
      write(run, update(step));
      await page.until(() => page.steps("loss")?.at(-1) === step && page.steps("loss")!.length === step);
    }
    expect(page.text("pictures")).toBe("");
    await page.until(() => page.text("facts").match(/clips a second \d/) !== null);
    expect(page.steps("clipsPerSecond")!.at(-1)).toBe(3);
  });

  it("is told to several pages, and whole to one that comes late", async () => {
    const run = path.join(folder, "several");
    begin(run);
    const watch = await watching(run);
    const early = [listen(watch), listen(watch)];
    write(run, ...range(1, 40).map((step) => update(step)));
    for (const page of early) await page.until(() => page.steps("loss")?.at(-1) === 40);
    early[0].stop();
    const late = listen(watch);
    await late.until(() => late.steps("loss")?.at(-1) === 40);
    write(run, update(41));
    for (const page of [early[1], late]) {
      await page.until(() => page.steps("loss")?.at(-1) === 41);
      expect(page.steps("loss")).toEqual(range(1, 41));
      expect(page.text("facts")).toContain("update 41 of 100");
    }
  });

  it("is told to have stopped, to have been killed, or to be out of sight", async () => {
    const run = path.join(folder, "states");
    begin(run);
    write(run, update(7));
    const page = listen(await watching(run));
    await page.until(
      () => page.text("state") === "Stopped: the last logged update is 7 of 100. Started again, it goes on",
    );
    const lock = path.join(run, "run.lock");
    const own = lockFolder(run);
    const mine = JSON.parse(readFileSync(lock, "utf8"));
    own[Symbol.dispose]();
    writeFileSync(lock, JSON.stringify({ ...mine, started: "1" })); // a process of that number is another one now
    await page.until(() =>
      /^Ended without a word, process \d+ runs no more: the last logged update is 7 of 100/.test(page.text("state")),
    );
    writeFileSync(lock, JSON.stringify({ ...mine, host: "elsewhere" }));
    await page.until(() => /on elsewhere, which cannot be seen/.test(page.text("state")));
  });

  it("shows outcomes of a validation that are its own: none of an earlier run, and none that a later one outdates", async () => {
    const run = path.join(folder, "outcomes");
    begin(run);
    using events = new EventFile(run, 1, () => 1_000_000);
    const classes = ["a <b>class</b>", "b"].map((name) => ({ name, clips: 4, correct: 3 }));
    const confusion = [
      [3, 1],
      [1, 3],
    ];
    const report = { schema: "videomae.validation/1", step: 20, top1: 0.75, classes, confusion };
    writeFileSync(path.join(run, "validation.json"), JSON.stringify(report));
    train(run, events, 1, 10);
    events.picture(10, "confusion", await picture("red"));
    const page = listen(await watching(run));
    await page.until(() => page.text("pictures").includes("What the classifier takes for what, after update 10"));
    expect(page.text("outcomes")).toBe("");
    train(run, events, 11, 20);
    await page.until(() => page.text("outcomes").startsWith("Last validation Top-1 75.0 %, after update 20."));
    expect(page.sections.outcomes).toContain("a &lt;b&gt;class&lt;/b&gt;");
    expect(page.text("pictures")).toBe("");
    train(run, events, 21, 22);
    events.picture(22, "confusion", await picture("red"));
    await page.until(() => page.text("pictures").includes("after update 22"));
    expect(page.text("outcomes")).toBe("");
  });

  it("is told with what cannot be read of it", async () => {
    const run = path.join(folder, "damaged");
    begin(run);
    write(run, update(1));
    writeFileSync(path.join(run, "log.jsonl"), "no JSON\n", { flag: "a" });
    writeFileSync(path.join(run, "events.out.tfevents.1.box.1.0.videomae"), Buffer.alloc(40, 7));
    writeFileSync(path.join(run, "validation.json"), "{}");
    const page = listen(await watching(run));
    await page.until(() => page.text("problems") !== "");
    expect(page.text("problems")).toMatch(/no JSON objects: 1, the first is 3/);
    expect(page.text("problems")).toMatch(/events\S+ cannot be read from byte 0 on/);
    expect(page.text("problems")).toMatch(/validation\.json: expected the report of a validation/);
    expect(page.steps("loss")).toEqual([1]);
  });
});

describe("a progressive training", () => {
  const whole = path.join(folder, "stages");
  const schedule = (...stages: [name: string, kind: string, done: boolean][]) => {
    const entries = stages.map(([name, stage, done]) => [
      name,
      { stage, options: {}, done, seconds: 1, updates: 1, checkpoint: "" },
    ]);
    const state = { schema: "videomae.schedule/1", stages: Object.fromEntries(entries) };
    writeFileSync(path.join(whole, "schedule.json"), JSON.stringify(state));
  };

  it("is shown stage by stage: the one under way, or the one that was chosen", async () => {
    const first = path.join(whole, "pretrain");
    begin(first);
    write(first, update(5));
    schedule(["pretrain", "pretrain", false]);
    const watch = await watching(whole);
    const page = listen(watch);
    await page.until(() => page.steps("loss")?.at(-1) === 5);
    expect(page.text("title")).toMatch(/^stages: pretrain/);
    write(first, update(6));
    const next = path.join(whole, "tune-2");
    begin(next, "data: lists/train.csv\nmodel: vit-base\n");
    write(next, update(2));
    schedule(["pretrain", "pretrain", true], ["tune-2", "finetune", false]);
    await page.until(() => page.steps("loss")?.at(-1) === 2);
    expect(page.steps("loss")).toEqual([2]);
    expect(page.text("title")).toBe("stages: tune-2 finetune of vit-base with lists/train.csv");
    expect(page.text("stages")).toBe("pretrain done tune-2 under way");
    const chosen = listen(watch, "pretrain");
    await chosen.until(() => chosen.steps("loss")?.at(-1) === 6);
    expect(chosen.steps("loss")).toEqual([5, 6]);
  });

  it("is refused with a stage whose name leads elsewhere", async () => {
    schedule(["../events", "pretrain", false]);
    const watch = await watching(whole);
    const page = listen(watch);
    await page.until(() => page.text("problems").includes("got &quot;../events&quot;"));
    expect(page.steps("loss")).toBeUndefined();
    expect((await fetch(`${watch.url}events?stage=..%2Fevents`)).status).toBe(404);
  });
});

/** An answer's status line to a request as it is written, which no client would send so. */
function raw(port: number, request: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1", () => socket.end(request.replaceAll("\n", "\r\n")));
    let answer = "";
    socket.setEncoding("utf8").on("data", (part) => {
      answer += part;
    });
    socket.on("error", reject).on("close", () => resolve(answer.split("\r\n")[0]));
  });
}

describe("the server", () => {
  it("answers only by loopback names, only to reading, and only what it has a name for", async () => {
    const run = path.join(folder, "refusals");
    begin(run);
    const { url } = await watching(run);
    const port = Number(new URL(url).port);
    const status = async (target: string, host: string, method = "GET") => {
      const line = await raw(port, `${method} ${target} HTTP/1.1\nHost: ${host}\nConnection: close\n\n`);
      return Number(line.split(" ")[1]);
    };
    for (const host of ["localhost", "LOCALHOST:9999", "127.0.0.1", `127.0.0.1:${port}`, "[::1]:80", "run.localhost"]) {
      expect([host, await status("/", host)]).toEqual([host, 200]);
    }
    for (const host of ["evil.example", `evil.example:${port}`, "127.0.0.1.evil.example", "localhost.evil.example"]) {
      expect([host, await status("/", host)]).toEqual([host, 403]);
      expect([host, await status("/events", host)]).toEqual([host, 403]);
    }
    for (const host of ["evil.example/@localhost", "evil.example?@localhost", "evil@localhost", "a b"]) {
      expect([host, await status("/", host)]).toEqual([host, 400]);
    }
    expect(await raw(port, "GET / HTTP/1.0\n\n")).toContain(" 400 ");
    for (const target of [
      ...["/../../../etc/passwd", "/watch/page/../../../package.json", "/..%2f..%2fpackage.json", "/log.jsonl"],
      ...[
        "/recipe.yaml",
        "/picture?name=../recipe.yaml",
        "/picture?stage=..&name=x",
        "/constructor",
        "/events?stage=..",
      ],
      ...["//evil.example/", "/watch/page/main.js/"],
    ]) {
      expect([target, await status(target, "localhost")]).toEqual([target, 404]);
    }
    expect(await status("http://evil.example/", "localhost")).toBe(400);
    for (const method of ["POST", "PUT", "DELETE", "OPTIONS"]) expect(await status("/", "localhost", method)).toBe(405);
    expect(await status("/", "localhost", "HEAD")).toBe(200);
  });

  it("serves all that its page asks for, under a policy that lets it ask nobody else", async () => {
    const { url } = await watching(path.join(folder, "page"));
    const asked = ["/"];
    for (const target of asked) {
      const answer = await fetch(new URL(target, url));
      expect([target, answer.status]).toEqual([target, 200]);
      const policy = answer.headers.get("content-security-policy")!;
      expect(policy).toContain("default-src 'none'; script-src 'self';");
      expect(policy).not.toMatch(/https?:|\*|unsafe-eval/);
      expect(answer.headers.get("x-content-type-options")).toBe("nosniff");
      const text = await answer.text();
      const references = target === "/" ? /(?:src|href)="([^"]+)"/g : /from "(\.[^"]+)"/g;
      for (const [, reference] of text.matchAll(references)) {
        if (reference.startsWith("data:")) continue;
        const { pathname } = new URL(reference, new URL(target, url));
        if (!asked.includes(pathname)) asked.push(pathname);
      }
    }
    expect(asked.length).toBeGreaterThanOrEqual(6);
  });

  it("writes nothing into the folder", async () => {
    const run = path.join(folder, "untouched");
    begin(run);
    write(run, update(1));
    const entries = () =>
      readdirSync(run).map((name) => [name, statSync(path.join(run, name)).mtimeMs, statSync(run).mtimeMs]);
    const before = entries();
    const page = listen(await watching(run));
    await page.until(() => page.steps("loss")?.length === 1);
    expect(entries()).toEqual(before);
  });

  it("ends streams with a good-bye, and then the port is free", async () => {
    const run = path.join(folder, "ends");
    begin(run);
    const watch = await watchRun(run, { port: 0, pollMs: 50 });
    const pages = [listen(watch), listen(watch)];
    for (const page of pages) await page.until(() => page.events.includes("curves"));
    const port = Number(new URL(watch.url).port);
    await expect(watchRun(run, { port })).rejects.toThrow(
      `watch on ${watch.url}: expected a free port; got one in use. Hint: another watch may have it; choose one with --port`,
    );
    await watch.close();
    for (const page of pages) {
      await page.ended;
      expect(page.events.at(-1)).toBe("bye");
    }
    await (await watchRun(run, { port })).close();
  });

  it("is refused for a file, a port that is none, and an address of another machine", async () => {
    const file = path.join(folder, "file");
    writeFileSync(file, "");
    await expect(watchRun(file)).rejects.toThrow(/expected the folder of a run; got a file/);
    for (const port of [-1, 70_000, 1.5]) await expect(watchRun(folder, { port })).rejects.toThrow(/a port from 0/);
    await expect(watchRun(folder, { host: "192.0.2.1", port: 0 })).rejects.toThrow(/choose an address of this machine/);
  });
});
