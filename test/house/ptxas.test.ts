import path from "node:path";
import { describe, expect, it } from "vitest";
import { checkPtxas, missingInstructions, ptxasComplaints } from "../../scripts/check-ptxas.mjs";
import { cudaSources, nvccVersion, ptxasWords } from "../../scripts/ptxas.mjs";

const good = `ptxas info    : 0 bytes gmem
ptxas info    : Compiling entry function '_Z4goodPf' for 'sm_90a'
ptxas info    : Function properties for _Z4goodPf
    0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
ptxas info    : Used 168 registers, used 1 barriers
`;

const complaintsAbout = (text: string) => ptxasWords(text).flatMap(ptxasComplaints);

describe("what ptxas says", () => {
  it("is read kernel by kernel", () => {
    const other = good.replaceAll("_Z4goodPf", "_Z5otherPf").replace("1 barriers", "1 barriers, 512 bytes smem");
    const figures = { registers: 168, sharedBytes: 0, stackBytes: 0, spillStores: 0, spillLoads: 0, remarks: [] };
    expect(ptxasWords(good + other).slice(1)).toEqual([
      { ...figures, kernel: "_Z4goodPf" },
      { ...figures, kernel: "_Z5otherPf", sharedBytes: 512 },
    ]);
  });

  it("is no complaint about a kernel that keeps to its registers", () => {
    expect(complaintsAbout(good)).toEqual([]);
  });

  it.each([
    ["0 bytes stack frame", "64 bytes stack frame", "_Z4goodPf: a stack frame of 64 bytes"],
    ["0 bytes spill stores", "276 bytes spill stores", "_Z4goodPf: spills 276 bytes and loads 0"],
    ["0 bytes gmem", "(C7508) Potential Performance Loss: 'setmaxnreg' ignored", "C7508"],
    ["0 bytes gmem", "(C7510) Potential Performance Loss: wgmma.mma_async instructions are serialized", "C7510"],
    ["ptxas info    : 0 bytes gmem", "ptxas warning : something else", "something else"],
  ])("complains when %s becomes %s", (from, to, complaint) => {
    const complaints = complaintsAbout(good.replace(from, to));
    expect(complaints).toHaveLength(1);
    expect(complaints[0]).toContain(complaint);
  });

  it("misses an instruction that only begins alike", () => {
    const sass =
      "  /*0080*/   HGMMA.64x8x16.F32.BF16 R24, R4, gdesc[UR4] ;\n  /*0090*/  @P0 BAR.SYNC.DEFER_BLOCKING 0x0 ;";
    expect(missingInstructions(sass, ["HGMMA.64x8x16.F32.BF16", "BAR.SYNC"])).toEqual([]);
    expect(missingInstructions(sass, ["HGMMA.64x80x16.F32.BF16", "BAR.SYN", "SYNC"])).toHaveLength(3);
  });
});

describe("CUDA sources", () => {
  it("are all listed with their targets", () => {
    const sources = cudaSources();
    expect(sources.length).toBeGreaterThan(15);
    expect(sources.find(({ stem }) => stem === "probe_mma_sync")?.targets).toEqual(["80", "90a"]);
    expect(sources.find(({ stem }) => stem === "wgmma_ceiling")?.targets).toEqual(["90a"]);
  });

  const version = nvccVersion();
  if (version === undefined) {
    console.log("not checked: what ptxas makes of the CUDA sources (no nvcc on PATH)");
    return;
  }
  // Spills and stack frames of the plug-in's other kernels, which set nothing aside, are errors of the build (CMakeLists.txt).
  const others = cudaSources().filter(({ file }) => path.dirname(file) !== "native/cuda");
  it("compile without spills and hold the instructions that they are about", { timeout: 600_000 }, async () => {
    const { complaints, summary } = await checkPtxas(version, others);
    console.log(summary);
    expect(complaints).toEqual([]);
  });
});
