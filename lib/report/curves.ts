// The curves of a run: its loss, what it was tested with on the way, and learning rate and gradient norm below.

import type { LogRecord } from "../log/jsonl.js";
import { type Curve, linePlotSvg, type Panel } from "../log/line-plot.js";
import { lossPanel, valuePanel } from "../log/loss-plot.js";
import { type Html, Html as RawHtml } from "./html.js";
import { pageInk } from "./page.js";
import { numberOf, type RunRecord } from "./run-record.js";

/** Undefined while no update with a finite loss has been logged. */
export function curvesOf({ name, updates, events }: RunRecord): Html | undefined {
  const losses = updates.map((line) => ({ step: line.step, loss: numberOf(line, "loss") }));
  if (!losses.some(({ loss }) => Number.isFinite(loss))) return undefined;
  const panels: Panel[] = [lossPanel(losses, 300, { raw: "var(--pale)", smooth: "var(--accent)" })];
  const tested = accuracyPanel(events);
  if (tested) panels.push(tested);
  for (const [field, label, colour] of [
    ["learningRate", "learning rate", "var(--warm)"],
    ["gradientNorm", "gradient norm", "var(--muted)"],
  ] as const) {
    const points = updates.filter((line) => Number.isFinite(numberOf(line, field)));
    if (points.length > 1) panels.push(valuePanel(label, points, (line) => numberOf(line, field), 88, colour));
  }
  return new RawHtml(linePlotSvg(panels, { ink: pageInk, id: `curves-${name.replace(/[^\w-]/g, "_")}` }));
}

/** Accuracy on the validation set, in percent. */
function accuracyPanel(events: readonly LogRecord[]): Panel | undefined {
  const validations = events.filter(({ event }) => event === "validation");
  if (validations.length === 0) return undefined;
  const curve = (field: string, label: string, colour: string): Curve => ({
    ...{ label, colour, width: 2 },
    steps: validations.map((line) => numberOf(line, "update")),
    values: validations.map((line) => 100 * numberOf(line, field)),
  });
  return {
    ...{ label: "accuracy, %", height: 160, range: { low: 0, high: 100 }, ticks: 5 },
    curves: [curve("top1", "top-1", "var(--green)"), curve("top5", "top-5", "var(--pale)")],
  };
}
