// The tape: one node an op, with edges to where its inputs came from and the vector-Jacobian product to run. A node
// knows nothing about its op.
//
// Nodes are counted like storage: a node is needed while a tensor of it is alive or a later node may send it a gradient.
// When neither holds, its saved tensors are freed at once, and so on up the graph. Scopes therefore need to know only
// tensors, and a loss that is carried out of a scope carries its whole history.
//
// A result that its node can make again, of what that has saved, is not saved by the nodes that read it.
import { binding, type Handle } from "../addon/binding.js";
import { VideomaeError } from "../errors.js";
import type { DType } from "../tensor/dtype.js";
import type { History } from "../tensor/tensor.js";
import { Tensor } from "../tensor/tensor.js";

/**
 * Where a product may add the gradient of an input, by the input's number, instead of returning it: to the gradient of a
 * leaf. Undefined where the gradient is not needed, or goes on to another op.
 */
export type Into = (input: number) => Tensor | undefined;

/** Gradients of an op's tensor inputs, in their order, from the gradient of its result. */
export type VectorJacobianProduct = (
  gradY: Tensor,
  needs: readonly boolean[],
  into: Into,
) => readonly (Tensor | undefined)[];

/** The same for an op with several results. No gradient may have reached some of them, but one has reached another. */
export type JointVectorJacobianProduct = (
  gradients: readonly (Tensor | undefined)[],
  needs: readonly boolean[],
  into: Into,
) => readonly (Tensor | undefined)[];

/** Makes a result of an op again, bit for bit, of what the op has saved. */
export type Remake = () => Tensor;

/** Where the gradient of an input goes: on to the node whose result it is, or into a leaf. */
export type Edge = TapeOutput | { readonly leaf: Tensor } | undefined;

/** One result of a node, as its tensor knows it. */
export class TapeOutput implements History {
  constructor(
    readonly node: TapeNode,
    /** Its place among the node's results. */
    readonly output: number,
  ) {}

  /** The tensor has been disposed of. */
  release(): void {
    this.node.release();
  }

  /** What makes the tensor again; undefined where it has to be saved. */
  get remake(): Remake | undefined {
    return this.node.remakeOf(this.output);
  }
}

let created = 0;

export class TapeNode {
  readonly op: string;
  /** Of the tensors that it made. */
  readonly dtypes: readonly DType[];
  /** Later nodes have greater numbers: the backward pass runs in descending order. */
  readonly order = created++;
  readonly edges: readonly Edge[];
  readonly #remakes: readonly (Remake | undefined)[];
  #vjp: JointVectorJacobianProduct | undefined;
  readonly #saved: SavedTensors;
  #consumers = 0;
  #tensorsAlive: number;

  constructor(
    op: string,
    dtypes: readonly DType[],
    inputs: readonly (Tensor | undefined)[],
    vjp: JointVectorJacobianProduct,
    saved: SavedTensors,
    remakes: readonly (Remake | undefined)[],
  ) {
    this.op = op;
    this.dtypes = dtypes;
    this.#remakes = remakes;
    this.#tensorsAlive = dtypes.length;
    this.#vjp = vjp;
    this.#saved = saved;
    this.edges = inputs.map((x) => x && edgeOf(x));
    for (const edge of this.edges) if (edge && "node" in edge) edge.node.#consumers++;
  }

  /** A tensor this node made has been disposed of. */
  release(): void {
    this.#tensorsAlive--;
    TapeNode.#freeUnneeded(this);
  }

  /** The product to run. Throws when it has been run before. */
  get vjp(): JointVectorJacobianProduct {
    if (this.#vjp === undefined) throw this.#spentAlready();
    return this.#vjp;
  }

  /** What makes a result again, if anything does; it throws when the node has been run. */
  remakeOf(output: number): Remake | undefined {
    const remake = this.#remakes[output];
    if (remake === undefined) return undefined;
    return () => {
      if (this.#vjp === undefined) throw this.#spentAlready();
      return remake();
    };
  }

  /** Frees what was saved: the node has been run. */
  spend(): void {
    this.#free();
  }

  /** Lets go of the nodes before it, after the walk: until then a gradient may be on its way to them. */
  detach(): void {
    for (const edge of this.edges) {
      if (edge && "node" in edge) {
        edge.node.#consumers--;
        TapeNode.#freeUnneeded(edge.node);
      }
    }
  }

  #spentAlready(): VideomaeError {
    return new VideomaeError({
      op: "backward",
      expected: `what ${this.op} saved for its gradient`,
      got: "nothing: it has been freed",
      hint: "a graph can be walked once; run the forward pass again",
    });
  }

  #free(): void {
    this.#vjp = undefined;
    this.#saved.dispose();
  }

  static #freeUnneeded(start: TapeNode): void {
    const stack = [start];
    for (let node = stack.pop(); node !== undefined; node = stack.pop()) {
      if (node.#tensorsAlive > 0 || node.#consumers > 0 || node.#vjp === undefined) continue;
      node.#free();
      for (const edge of node.edges) {
        if (edge && "node" in edge) {
          edge.node.#consumers--;
          stack.push(edge.node);
        }
      }
    }
  }
}

function edgeOf(x: Tensor): Edge {
  if (x.history !== undefined) return x.history as TapeOutput;
  return x.requiresGrad ? { leaf: x.master ?? x } : undefined;
}

/** Keeps tensors for a backward pass, whatever becomes of the scope they were made in. */
export class SavedTensors {
  #handles: Handle[] = [];

  /** Saves a record of tensors; the returned function restores them, owned by the scope it is called in. */
  save<R extends Record<string, Tensor | undefined>>(record: R): () => R {
    const saved = Object.entries(record).map(([name, tensor]) => [name, tensor && this.#keep(tensor)] as const);
    return () => Object.fromEntries(saved.map(([name, restore]) => [name, restore?.()])) as R;
  }

  /** Returns what gives the tensor back. A node that can make it again is kept by the edge of the node that saves. */
  #keep({ handle, shape, history }: Tensor): Remake {
    const remake = (history as TapeOutput | undefined)?.remake;
    if (remake !== undefined) return remake;
    const view = binding.view(handle, 0, shape);
    this.#handles.push(view);
    return () => new Tensor(binding.view(view, 0, shape));
  }

  /** Frees what was saved. */
  dispose(): void {
    for (const handle of this.#handles) binding.dispose(handle);
    this.#handles = [];
  }
}
