// docs/models.md is what the code gives, and its parameter counts are the specification's (spec 1.2).
import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { modelsPage, renderModelsPage } from "../../scripts/models-page.mjs";

const page = renderModelsPage();

it("the committed page is up to date", () => {
  expect(readFileSync(modelsPage, "utf8") === page, "run npm run docs:models").toBe(true);
});

it.each([
  ["vit-small", "21,879,936", "2,075,520", 73_728 + 192, "24,029,376"],
  ["vit-base", "86,227,200", "7,688,448", 294_912 + 384, "94,210,944"],
  ["vit-large", "303,860,736", "13,396,480", 524_288 + 512, "317,782,016"],
  ["vit-huge", "631,607,040", "13,396,480", 655_360 + 512, "645,659,392"],
  ["vit-giant", "1,011,610,752", "13,974,400", 720_896 + 512, "1,026,306,560"],
])("parameters of %s", (name, encoder, decoder, between, all) => {
  const row = [name.replace("vit-", ""), encoder, decoder, between.toLocaleString("en-US"), all].join(" | ");
  expect(page).toContain(`| ${row} |`);
});
