// Round tick values of a plot's axis: multiples of 1, 2, 2.5 or 5 times a power of ten.

/** About `count` round values covering [low, high], the outermost inside it. */
export function roundTicks(low: number, high: number, count: number): number[] {
  const step = roundStep((high - low) / Math.max(1, count));
  const first = Math.ceil(low / step - 1e-9);
  const last = Math.floor(high / step + 1e-9);
  return Array.from({ length: last - first + 1 }, (_, i) => Number(((first + i) * step).toPrecision(12)));
}

/** Labels of the ticks of one axis, with equally many decimals: `12k`, `1.5M`, `0.50`, `6e-4`. */
export function tickLabels(ticks: readonly number[]): string[] {
  const top = Math.max(...ticks.map(Math.abs));
  const [unit, sign] = top >= 1e6 ? [1e6, "M"] : top >= 1e4 ? [1e3, "k"] : [1, ""];
  const tiny = top > 0 && top < 1e-2;
  const decimals = Math.max(...ticks.map((tick) => decimalsOf(tick / unit)));
  return ticks.map((tick) => {
    if (tick === 0) return "0";
    return tiny ? Number(tick.toPrecision(4)).toExponential() : `${(tick / unit).toFixed(decimals)}${sign}`;
  });
}

function decimalsOf(value: number): number {
  for (let decimals = 0; decimals < 8; decimals++) {
    if (Math.abs(Number(value.toFixed(decimals)) - value) <= 1e-9 * Math.abs(value)) return decimals;
  }
  return 8;
}

function roundStep(least: number): number {
  const power = 10 ** Math.floor(Math.log10(least));
  const factor = [1, 2, 2.5, 5, 10].find((candidate) => candidate * power >= least * (1 - 1e-9)) ?? 10;
  return factor * power;
}
