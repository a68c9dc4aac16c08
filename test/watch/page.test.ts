// The page in a browser: it shows what comes without being loaded again, draws it, and goes on when the server does.
import { execFileSync } from "node:child_process";
import path from "node:path";
import { type Browser, chromium, type Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { EventFile } from "#lib/log/event-file.js";
import { watchRun } from "#lib/watch/watch-run.js";
import { temporaryFolder } from "../temporary-folder.js";
import { begin, picture, train, update, write } from "./growing-run.js";

const folder = temporaryFolder();

/** What starts in a sandbox without a network, as root too. */
const flags = [
  ...["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"],
  ...["--disable-component-update", "--disable-sync"],
];

/** The browser's program; undefined where there is none, which is said. */
function findChromium(): string | undefined {
  for (const name of ["chromium", "chromium-browser", "google-chrome"]) {
    try {
      return execFileSync("sh", ["-c", `command -v ${name}`], { encoding: "utf8" }).trim();
    } catch {}
  }
  console.log("skipped: no chromium on PATH to look at the page with");
  return undefined;
}

const program = findChromium();

/** Whether a canvas has something drawn in a colour of the page's style. */
const drawn = (figure: number, property: string) => `(() => {
  const probe = document.createElement("canvas").getContext("2d");
  probe.fillStyle = getComputedStyle(document.documentElement).getPropertyValue("${property}");
  probe.fillRect(0, 0, 1, 1);
  const wanted = probe.getImageData(0, 0, 1, 1).data;
  const canvas = document.querySelectorAll("#charts figure")[${figure}].querySelector("canvas");
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  for (let i = 0; i < data.length; i += 4) {
    if ([0, 1, 2].every((c) => Math.abs(data[i + c] - wanted[c]) < 3) && data[i + 3] > 250) return true;
  }
  return false;
})()`;

describe.skipIf(program === undefined)("in a browser", () => {
  let browser: Browser;
  let page: Page;
  const mistakes: string[] = [];

  beforeAll(async () => {
    browser = await chromium.launch({ executablePath: program, args: flags });
    page = await browser.newPage({ viewport: { width: 1100, height: 800 } });
    page.on("pageerror", (error) => mistakes.push(String(error)));
    page.on("console", (message) => {
      if (message.type() === "error" && !message.text().includes("ERR_")) mistakes.push(message.text());
    });
  });

  afterAll(() => browser?.close());

  it("shows updates, curves and pictures as they come, and is readable in every width and light", async () => {
    const run = path.join(folder, "run");
    const watch = await watchRun(run, { port: 0, pollMs: 50 });
    const port = Number(new URL(watch.url).port);
    const asked: string[] = [];
    page.on("request", (request) => asked.push(request.url()));
    const shows = (place: string, text: string) =>
      page.locator(`#${place}`, { hasText: text }).waitFor({ timeout: 30_000 });
    // The page's policy forbids the waiting that a driver does inside the page.
    const until = (condition: string) =>
      expect.poll(() => page.evaluate<boolean>(condition), { timeout: 30_000, interval: 50 }).toBe(true);
    await page.goto(watch.url);
    await shows("state", "there is no folder");

    begin(run);
    using events = new EventFile(run, 1, () => 1_000_000);
    train(run, events, 1, 20);
    events.picture(20, "reconstruction/0", await picture("rgb(250, 0, 0)"));
    await shows("facts", "20 of 100");
    await shows("pictures", "after update 20");
    await shows("facts", "80.0");
    await until(drawn(0, "--accent"));
    const label = () => page.locator("#charts .plot").first().getAttribute("aria-label");
    expect(await label()).toBe("Loss: smoothed 1.8 at update 20");
    const colour = `(() => {
      const image = document.querySelector("#pictures img");
      const context = document.createElement("canvas").getContext("2d");
      context.drawImage(image, 0, 0);
      return image.naturalWidth + " wide, " + [...context.getImageData(0, 0, 1, 1).data];
    })()`;
    await until(`document.querySelector("#pictures img").complete`);
    expect(await page.evaluate(colour)).toBe("90 wide, 250,0,0,255");

    train(run, events, 21, 40);
    events.picture(40, "reconstruction/0", await picture("rgb(0, 0, 250)"));
    write(run, { event: "validation", update: 40, loss: 1, top1: 0.5, top5: 0.875 });
    await shows("facts", "40 of 100");
    await shows("pictures", "after update 40");
    await shows("facts", "87.5 %");
    await until(`document.querySelector("#pictures img").complete`);
    expect(await page.evaluate(colour)).toBe("90 wide, 0,0,250,255");
    await until(drawn(1, "--green"));
    expect(await label()).toBe("Loss: smoothed 1.6 at update 40, validation 1 at update 40");
    expect(await page.title()).toBe("40 % · run");
    expect(asked.filter((url) => url === watch.url)).toHaveLength(1); // never loaded again

    await page.emulateMedia({ colorScheme: "dark" });
    await until(drawn(0, "--accent"));
    await page.setViewportSize({ width: 360, height: 700 });
    await until(`document.querySelector("#charts canvas").getBoundingClientRect().right <= innerWidth`);
    expect(await page.evaluate("document.documentElement.scrollWidth")).toBe(360);

    // The server ends, and another takes its place: the page says so, and goes on with what came meanwhile.
    await watch.close();
    await shows("connection", "The watch has been ended");
    write(run, update(41));
    const again = await watchRun(run, { port, pollMs: 50 });
    await shows("facts", "41 of 100");
    expect(await page.locator("#connection").textContent()).toBe("");
    await again.close();
    expect(asked.filter((url) => !url.startsWith(watch.url) && !url.startsWith("data:"))).toEqual([]);
    expect(mistakes).toEqual([]);
  });
});
