// Makes tensors in every way of owning them, lets go of all, collects garbage, and prints the leak count and the memory.
// Needs --expose-gc.
import { setImmediate as turn } from "node:timers/promises";
import { memory } from "#lib/tensor/memory.js";
import { scope } from "#lib/tensor/scope.js";
import { keep, Tensor } from "#lib/tensor/tensor.js";

const { live } = memory();
function forgetOne() {
  Tensor.zeros([100]);
}
function keptAndForgotten() {
  scope(() => {
    keep(Tensor.zeros([100]));
  });
}
function wellKept() {
  Tensor.zeros([100]).dispose();
  scope(() => Tensor.zeros([100]));
  const kept = scope(() => keep(Tensor.zeros([100])));
  kept.dispose();
}
globalThis.held = Tensor.zeros([100]);
const which = process.argv[2];
if (which === "leaky") {
  forgetOne();
  keptAndForgotten();
}
wellKept();
for (let i = 0; i < 10; i++) {
  globalThis.gc();
  await turn();
}
globalThis.held.dispose();
console.log(JSON.stringify({ leaked: memory().leaked, live: memory().live - live }));
