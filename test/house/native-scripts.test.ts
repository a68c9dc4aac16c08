import { describe, expect, it } from "vitest";
import { parseBuild } from "../../scripts/build-native.mjs";
import { countCases } from "../../scripts/test-native.mjs";

describe("build-native's command line", () => {
  it("builds a release without tests unless told", () => {
    const build = parseBuild([]);
    expect(build).toMatchObject({ type: "Release", tests: false, probes: false, sanitize: false });
    expect(build.work).toMatch(/\.cmake\/Release$/);
    expect(build.out).toMatch(/build\/Release$/);
  });

  it("keeps a sanitized build away from the package", () => {
    const build = parseBuild(["--tests", "--sanitize", "-DVIDEOMAE_CUDA=OFF"]);
    expect(build).toMatchObject({ tests: true, sanitize: true, out: undefined, definitions: ["VIDEOMAE_CUDA=OFF"] });
    expect(build.work).toMatch(/\.cmake\/Sanitize$/);
  });

  it("builds the GPU programs when asked", () => {
    expect(parseBuild(["--probes"])).toMatchObject({ type: "Release", tests: false, probes: true });
  });

  it("takes node-gyp's command line, and no other unknown option", () => {
    expect(parseBuild(["rebuild", "--target=20.19.0", "--devdir=x", "--release"]).type).toBe("Release");
    expect(() => parseBuild(["--relaese"])).toThrow("unknown option --relaese");
  });
});

describe("native test output", () => {
  it.each([
    ["ok a\nok b\n", 0, { passed: 2, failed: 0 }],
    ["ok a\nsome words\nFAILED b\n", 1, { passed: 1, failed: 1 }],
    ["ok a\nSegmentation", null, { passed: 1, failed: 1 }],
    ["ok a\n", 1, { passed: 1, failed: 1 }],
    ["", 0, { passed: 0, failed: 1 }],
    ["not ok a\nlook: FAILED b\nok c\n", 0, { passed: 1, failed: 0 }],
  ])("%j with status %s", (output, status, counts) => {
    expect(countCases(output, status)).toEqual(counts);
  });
});
