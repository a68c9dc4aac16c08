// The backward pass: walks the tape from a scalar loss, newest node first, and adds gradients into the leaves.
import { VideomaeError } from "../errors.js";
import { nativeOp } from "../tensor/native-op.js";
import { scope, unscoped } from "../tensor/scope.js";
import { Tensor } from "../tensor/tensor.js";
import { noGrad } from "./grad-mode.js";
import { type TapeNode, TapeOutput } from "./node.js";

/**
 * Adds the gradient of `loss` with respect to every leaf that requires one to the leaf's `grad`.
 * What the graph had saved is freed on the way: a graph can be walked once.
 *
 * @param gradient  of the loss itself, with its shape and dtype; needed when the loss is not a scalar
 * @throws VideomaeError when the loss has no history, or a leaf has been freed
 */
export function backward(loss: Tensor, gradient?: Tensor): void {
  if (!(loss.history instanceof TapeOutput)) {
    throw new VideomaeError({
      op: "backward",
      expected: "a loss made from tensors that require gradients",
      got: `${loss} without history`,
      hint: "set requiresGrad on a parameter, and compute the loss outside noGrad()",
    });
  }
  if (gradient === undefined && loss.size !== 1) {
    throw new VideomaeError({
      op: "backward",
      expected: "a scalar loss",
      got: `${loss}`,
      hint: "reduce it with mean() or sum(), or pass the gradient",
    });
  }
  if (gradient !== undefined && String(gradient) !== String(loss)) {
    throw new VideomaeError({ op: "backward", expected: `a gradient like the loss, ${loss}`, got: `${gradient}` });
  }
  const root = loss.history;
  noGrad(() =>
    scope(() => {
      walk(root, gradient?.view(gradient.shape) ?? ones(loss)); // a view: the walk frees gradients as it goes
    }),
  );
}

function ones(like: Tensor): Tensor {
  const count = like.size;
  return Tensor.fromArray(new Array<number>(count).fill(1), like.shape, like.dtype, like.device);
}

/** The gradients that have reached a node's results so far. */
type Pending = Map<TapeNode, (Tensor | undefined)[]>;

function walk(root: TapeOutput, seed: Tensor): void {
  const pending: Pending = new Map();
  gradientsOf(pending, root.node)[root.output] = seed;
  const spent: TapeNode[] = [];
  try {
    for (const node of inOrder(root.node)) {
      const gradients = pending.get(node);
      if (gradients === undefined) continue; // no gradient reached it
      pending.delete(node);
      runNode(node, gradients, pending);
      for (const gradient of gradients) gradient?.dispose();
      node.spend();
      spent.push(node);
    }
  } finally {
    for (const node of spent) node.detach();
  }
}

/** Runs one node's product and hands its results on. */
function runNode(node: TapeNode, arrived: readonly (Tensor | undefined)[], pending: Pending): void {
  scope(() => {
    const needs = node.edges.map((edge) => edge !== undefined);
    const gradients = node.vjp(arrived, needs, (input) => slotOf(node, input));
    node.edges.forEach((edge, i) => {
      const gradient = gradients[i];
      if (edge === undefined || gradient === undefined) return;
      if ("leaf" in edge) nativeOp("accumulate", { y: gradientOf(edge.leaf), x: gradient });
      else send(pending, edge, gradient);
    });
  });
}

/**
 * Where a node may add the gradient of an input: to that of a leaf. Not where two inputs are one leaf, because an op may
 * add both at the same time; nor to one of bf16, because ops add in the dtype they compute in.
 */
function slotOf({ edges }: TapeNode, input: number): Tensor | undefined {
  const leaves = edges.map((edge) => (edge && "leaf" in edge ? edge.leaf : undefined));
  const leaf = leaves[input];
  if (leaf === undefined || leaf.dtype === "bf16" || leaves.indexOf(leaf) !== leaves.lastIndexOf(leaf))
    return undefined;
  return gradientOf(leaf);
}

/** Every node that the root depends on, newest first. */
function inOrder(root: TapeNode): TapeNode[] {
  const seen = new Set([root]);
  for (const node of seen) {
    for (const edge of node.edges) if (edge && "node" in edge) seen.add(edge.node);
  }
  return [...seen].sort((a, b) => b.order - a.order);
}

/**
 * Hands a gradient to a result of a node, out of the scope it was made in; two that meet are added. It gets the dtype of
 * the result: the gradient of a bf16 weight, for one, comes as f32.
 */
function send(pending: Pending, { node, output }: TapeOutput, made: Tensor): void {
  const gradients = gradientsOf(pending, node);
  const waiting = gradients[output];
  const dtype = node.dtypes[output];
  const gradient = made.dtype === dtype ? made : nativeOp("cast", { x: made, dtype }).y;
  if (waiting === undefined) {
    gradients[output] = gradient.view(gradient.shape).keep(); // a view: one tensor may be the gradient of two inputs
    return;
  }
  gradients[output] = nativeOp("binary", { kind: "add", a: waiting, b: gradient }).y.keep();
  waiting.dispose();
}

function gradientsOf(pending: Pending, node: TapeNode): (Tensor | undefined)[] {
  let gradients = pending.get(node);
  if (gradients === undefined) {
    gradients = node.dtypes.map(() => undefined);
    pending.set(node, gradients);
  }
  return gradients;
}

/** A leaf's gradient, zeros where it had none. */
function gradientOf(leaf: Tensor): Tensor {
  if (!leaf.alive) {
    throw new VideomaeError({
      op: "backward",
      expected: `the leaf ${leaf} alive, to take its gradient`,
      got: "a freed one",
      hint: "dispose of parameters and inputs after the backward pass",
    });
  }
  leaf.grad ??= unscoped(() => Tensor.zeros(leaf.shape, leaf.dtype, leaf.device));
  return leaf.grad;
}
