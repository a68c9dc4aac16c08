// What a kernel is made of: the instructions of its machine code by class. Counts are of the code as it stands, a loop's
// body once, so they show what a kernel does and not how long that takes.

/** Instructions, without their suffixes, by what executes them. */
const CLASSES = {
  tensor: "HMMA HGMMA",
  FP32: "FADD FCHK FFMA FMNMX FMUL FSEL FSETP",
  FP64: "DADD DFMA DMUL DSETP",
  MUFU: "MUFU",
  convert: "F2F F2FP F2I FRND I2F I2FP",
  shuffle: "ELECT REDUX SHFL VOTE VOTEU",
  shared: "LDS LDSM STS STSM",
  global: "CCTL LDG LDGSTS RED REDG STG UTMACCTL UTMALDG UTMASTG",
  sync: `ACQBULK BAR DEPBAR ENDCOLLECTIVE FENCE LDGDEPBAR MEMBAR PREEXIT SYNCS UTMACMDFLUSH WARPGROUP WARPSYNC`,
  // Addresses, indices, moves and parameters; HFMA2 makes constants here.
  integer: `CS2R HFMA2 IABS IADD3 IDP IMAD IMNMX ISETP LDC LEA LOP3 MOV P2R PLOP3 PRMT R2P R2UR S2R S2UR SEL SHF UFLO
    UIADD3 UIMAD UISETP ULDC ULEA ULOP3 UMOV UPRMT USEL USHF VIADD VIADDMNMX VIMNMX`,
  control: "BRA BREAK BRX BRXU BSSY BSYNC CALL EXIT RET USETMAXREG YIELD",
};
const classOf = new Map(Object.entries(CLASSES).flatMap(([name, all]) => all.split(/\s+/).map((word) => [word, name])));

export const instructionClasses = Object.keys(CLASSES);

/**
 * Instructions of each kernel by class. NOPs, which fill up the code's last lines, do not count.
 * @param sass  what `cuobjdump -sass` printed
 * @returns counts by the kernel's mangled name
 * @throws Error for an instruction without a class
 */
export function instructionMixes(sass) {
  const mixes = new Map();
  for (const code of sass.split(/^\s*Function : /m).slice(1)) {
    const kernel = /^\S+/.exec(code)[0];
    const counts = Object.fromEntries(instructionClasses.map((name) => [name, 0]));
    for (const [, instruction] of code.matchAll(/^\s*\/\*[0-9a-f]{4,}\*\/\s+(?:@!?U?P\w+\s+)?(\w+)/gm)) {
      if (instruction === "NOP") continue;
      const name = classOf.get(instruction);
      if (!name) throw new Error(`${kernel}: ${instruction} has no class; give it one in scripts/instruction-mix.mjs`);
      counts[name] += 1;
    }
    mixes.set(kernel, counts);
  }
  return mixes;
}
