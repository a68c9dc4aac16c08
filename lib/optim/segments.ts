// Where parameters lie in a flat buffer, and the contents of such a buffer by name: state is read and written by name, never
// by offset.
import { VideomaeError } from "../errors.js";
import { unscoped } from "../tensor/scope.js";
import type { Tensor } from "../tensor/tensor.js";

/** Elements that segments are aligned to: 64 bytes of f32. */
export const alignment = 16;

/** The place of one parameter. */
export interface Segment {
  readonly name: string;
  readonly shape: readonly number[];
  /** First element, a multiple of `alignment`. */
  readonly offset: number;
  readonly size: number;
}

/** What a flat buffer holds for one parameter. */
export interface NamedValues {
  readonly name: string;
  readonly shape: readonly number[];
  /** A copy made each time it is asked for, so all of them need no memory. */
  readonly data: Float32Array;
}

/** The contents of a buffer (P) by parameter name. */
export function readSegments(buffer: Tensor, segments: readonly Segment[]): NamedValues[] {
  return segments.map(({ name, shape, offset }) => ({
    name,
    shape,
    get data() {
      using view = unscoped(() => buffer.view(shape, offset));
      return view.readSync() as Float32Array;
    },
  }));
}

/**
 * Writes a buffer (P).
 * @param what  it holds, for errors
 * @param read  gives what belongs to a parameter by name; it throws when there is none
 * @throws VideomaeError when something has another shape than its parameter
 */
export function writeSegments(
  what: string,
  buffer: Tensor,
  segments: readonly Segment[],
  read: (name: string) => { shape: readonly number[]; data: Float32Array },
): void {
  for (const { name, shape: expected, offset } of segments) {
    const { shape, data } = read(name);
    if (shape.join() !== expected.join()) {
      throw new VideomaeError({ op: `${what} of ${name}`, expected: `[${expected}]`, got: `[${shape}]` });
    }
    using view = unscoped(() => buffer.view(expected, offset));
    view.write(data);
  }
}
