// Begins many reads of results that a device is still to compute, and then asks the file system for something. Run with
// one thread of Node's pool: prints in which order they were answered, and what was read.
import { readFile } from "node:fs/promises";
import { nativeOp, scope, Tensor } from "videomae";

const count = 64;
const order = [];
const reads = scope(() => {
  const a = Tensor.fromArray(new Float32Array(384 * 96).fill(1), [384, 96], "f32", "emu");
  return Array.from({ length: count }, (_, i) => {
    const b = Tensor.fromArray(new Float32Array(96).fill(i), [96, 1], "f32", "emu");
    return nativeOp("matmul", { a, b }).y.read();
  });
});
const read = Promise.all(reads).then((values) => {
  order.push("reads");
  return values.map((y) => y[0] / 96);
});
const first = reads[0].then(() => order.push("first read"));
const file = readFile(new URL(import.meta.url)).then(() => order.push("file"));
const [values] = await Promise.all([read, first, file]);
console.log(JSON.stringify({ order, values }));
