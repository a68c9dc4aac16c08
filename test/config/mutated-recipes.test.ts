// Recipes with random damage: whatever comes of it, it is a set of options or an error that says what is wrong, soon,
// and nothing outside the recipe changes. VIDEOMAE_MUTATIONS says how many; 300 by default.
import { expect, test } from "vitest";
import { parsePretrainConfig } from "#lib/config/pretrain-config.js";
import { formatRecipe, parseRecipe, recipes } from "#lib/config/recipes.js";
import { VideomaeError } from "#lib/errors.js";
import { RandomStream } from "#lib/random.js";

const count = Number(process.env.VIDEOMAE_MUTATIONS ?? 300);
const longestMs = 5000;

const pieces = [
  ..."\n \t:-?[]{}&*!|>'\"%@#,~0".split(""),
  ...["__proto__: ", "constructor: ", "<<: ", "&a ", "*a", "!!binary ", "!!map ", "---\n", "...\n", "%YAML 1.1\n"],
  ...["\u0000", "\uFEFF", "\uD800", "\u2028", "🎞", "null", ".nan", "-.inf", "1e999", "0x1F", "yes", "extends: "],
  ...["data: ", "data:\n  - path: x\n    weight: -1\n", "betas: [1, 2, 3]\n", "seed: 9007199254740993\n"],
];

function mutated(text: string, stream: RandomStream): string {
  let out = text;
  for (let n = 1 + stream.integer(6); n > 0; n--) {
    const at = stream.integer(out.length + 1);
    const length = stream.integer(12);
    const piece = pieces[stream.integer(pieces.length)];
    const moved = out.slice(stream.integer(out.length + 1)).slice(0, 40);
    const kinds = [
      () => out.slice(0, at) + out.slice(at + length),
      () => out.slice(0, at) + piece + out.slice(at),
      () => out.slice(0, at) + piece.repeat(1 + stream.integer(300)) + out.slice(at),
      () => out.slice(0, at) + moved + out.slice(at),
      () => out.slice(0, at) + String.fromCharCode(stream.integer(0x3000)) + out.slice(at + 1),
    ];
    out = kinds[stream.integer(kinds.length)]();
  }
  return out;
}

test(`${count} mutated recipes`, () => {
  const texts = Object.values(recipes).map(({ options }) => formatRecipe({ ...options, data: "list.csv" }));
  texts.push("extends: vit-b-hybrid-800e\ndata: x\n");
  const stream = new RandomStream(7, "test.recipes");
  let refused = 0;
  for (let i = 0; i < count; i++) {
    const text = mutated(texts[i % texts.length], stream);
    const start = performance.now();
    try {
      parsePretrainConfig(parseRecipe(text, "r.yaml"));
    } catch (error) {
      if (!(error instanceof VideomaeError)) throw new Error(`${JSON.stringify(text)}: ${error}`, { cause: error });
      expect(error.message.length, error.message).toBeLessThan(2000);
      refused++;
    }
    expect(performance.now() - start, JSON.stringify(text)).toBeLessThan(longestMs);
  }
  expect(refused).toBeGreaterThan(count / 3);
  expect(refused).toBeLessThan(count);
  expect(Object.keys(Object.prototype)).toEqual([]);
  expect(({} as Record<string, unknown>).lr).toBeUndefined();
}, 600_000);
