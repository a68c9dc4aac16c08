// .npy files against the format's description, and against numpy where `VIDEOMAE_PYTHON` names an interpreter with it.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { writeNpy } from "#lib/io/npy.js";
import { temporaryFolder } from "../temporary-folder.js";
import { havePython, python } from "./python.js";

const folder = temporaryFolder();
const haveNumpy = havePython("numpy");

test.each([[[3, 4]], [[12]], [[0, 5]], [[2, 1, 6]], [[]]])("shape %j", (shape) => {
  const path = join(folder, `${shape.join("x")}.npy`);
  const count = shape.reduce((product, side) => product * side, 1);
  const data = Float32Array.from({ length: count }, (_, i) => i / 3 - 1);
  writeNpy(path, data, shape);
  const bytes = readFileSync(path);
  expect([...bytes.subarray(0, 8)]).toEqual([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0]);
  const start = 10 + bytes.readUInt16LE(8);
  expect(start % 64).toBe(0);
  const header = bytes.subarray(10, start).toString();
  const literal = `{'descr': '<f4', 'fortran_order': False, 'shape': (${shape.length === 1 ? `${shape[0]},` : shape.join(", ")}), }`;
  expect(header).toMatch(/ *\n$/);
  expect(header.trimEnd()).toBe(literal);
  expect(new Float32Array(new Uint8Array(bytes.subarray(start)).buffer)).toEqual(data);
  if (!haveNumpy) return;
  const show =
    "import sys, json, numpy; x = numpy.load(sys.argv[1]); print(json.dumps([str(x.dtype), x.shape, x.tolist()]))";
  const [dtype, loaded, values] = JSON.parse(python(show, path));
  expect([dtype, loaded]).toEqual(["float32", shape]);
  expect([values].flat(4)).toEqual([...data]);
});

test("numbers that do not fill the shape are refused, and no file is left", () => {
  const path = join(folder, "bad.npy");
  expect(() => writeNpy(path, new Float32Array(5), [2, 3])).toThrow(
    /expected 6 elements for the shape \[2, 3\]; got 5/,
  );
  expect(() => writeNpy(path, new Float32Array(2), [-1, -2])).toThrow(/write /);
  expect(existsSync(path)).toBe(false);
});
