// Leak reports: a tensor that no scope owns and nobody disposed of is counted once it is collected.
import { describe, expect, it } from "vitest";
import { runNode } from "../run-node.js";

const report = (which: string, env: Record<string, string> = {}) =>
  runNode("tensor/leak-report.mjs", { flags: ["--expose-gc"], args: [which], env });

describe("leak reports", () => {
  it("count tensors that were forgotten, whose memory collection frees", async () => {
    const { status, stdout, stderr } = await report("leaky");
    expect([status, stderr]).toEqual([0, ""]);
    expect(JSON.parse(stdout)).toEqual({ leaked: 2, live: 0 });
  });

  it("do not count tensors that were disposed of, held, or owned by a scope", async () => {
    const { stdout, stderr } = await report("tidy", { VIDEOMAE_LEAKS: "1" });
    expect(JSON.parse(stdout)).toEqual({ leaked: 0, live: 0 });
    expect(stderr).toBe("");
  });

  it("warn with the place of origin under VIDEOMAE_LEAKS=1", async () => {
    const { status, stderr } = await report("leaky", { VIDEOMAE_LEAKS: "1" });
    expect(status).toBe(0);
    expect(stderr.match(/VideomaeLeak: a tensor was never disposed of/g)).toHaveLength(2);
    expect(stderr).toContain("forgetOne");
    expect(stderr).toContain("keptAndForgotten");
  });
});
