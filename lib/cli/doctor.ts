// `videomae doctor`: what this machine has, and one cause and one fix for each thing that is in the way of a run.

import { Command } from "commander";
import { examineMachine } from "../doctor/examine.js";
import type { Finding } from "../doctor/finding.js";
import { manifest } from "../manifest.js";

export function doctorCommand(): Command {
  return new Command("doctor")
    .option("--data <path>", "also measure how fast the videos of this folder or list are read (a few seconds)")
    .option("--json", "print JSON (schema videomae.doctor/1)")
    .addHelpText("after", "\nThe exit status is 1 when something that a run needs is missing.")
    .action(doctor);
}

async function doctor({ data, json }: { data?: string; json?: boolean }): Promise<void> {
  const findings = await examineMachine({ data });
  const ok = findings.every(({ status }) => status !== "problem");
  if (json) {
    const { version } = manifest();
    console.log(JSON.stringify({ schema: "videomae.doctor/1", version, ok, findings }, undefined, 2));
  } else console.log(findings.flatMap(linesOf).join("\n"));
  if (!ok) process.exitCode = 1;
}

function linesOf({ check, status, found, cause, fix }: Finding): string[] {
  const mark = { ok: "ok     ", warning: "warning", problem: "PROBLEM" }[status];
  const indent = " ".repeat(24);
  return [
    `${mark} ${check.padEnd(15)} ${found}`,
    ...(cause ? [`${indent}cause: ${cause}`] : []),
    ...(fix ? [`${indent}fix:   ${fix}`] : []),
  ];
}
