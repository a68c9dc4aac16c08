// The backward pass: walks the tape from a scalar loss, newest node first, and adds gradients into the leaves.
import { VideomaeError } from "../errors.js";
import { nativeOp } from "../tensor/native-op.js";
import { scope, unscoped } from "../tensor/scope.js";
import { Tensor } from "../tensor/tensor.js";
import { noGrad } from "./grad-mode.js";
import { TapeNode } from "./node.js";

/**
 * Adds the gradient of `loss` with respect to every leaf that requires one to the leaf's `grad`.
 * What the graph had saved is freed on the way: a graph can be walked once.
 *
 * @param gradient  of the loss itself, with its shape and dtype; needed when the loss is not a scalar
 * @throws VideomaeError when the loss has no history, or a leaf has been freed
 */
export function backward(loss: Tensor, gradient?: Tensor): void {
  if (!(loss.history instanceof TapeNode)) {
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

function walk(root: TapeNode, seed: Tensor): void {
  const pending = new Map<TapeNode, Tensor>([[root, seed]]);
  const spent: TapeNode[] = [];
  try {
    for (const node of inOrder(root)) {
      const gradY = pending.get(node);
      if (gradY === undefined) continue; // no gradient reached it
      pending.delete(node);
      runNode(node, gradY, pending);
      gradY.dispose();
      node.spend();
      spent.push(node);
    }
  } finally {
    for (const node of spent) node.detach();
  }
}

/** Runs one node's product and hands its results on. */
function runNode(node: TapeNode, gradY: Tensor, pending: Map<TapeNode, Tensor>): void {
  scope(() => {
    const gradients = node.vjp(
      gradY,
      node.edges.map((edge) => edge !== undefined),
    );
    node.edges.forEach((edge, i) => {
      const gradient = gradients[i];
      if (edge === undefined || gradient === undefined) return;
      if ("leaf" in edge) addToLeaf(edge.leaf, gradient);
      else send(pending, edge.node, gradient);
    });
  });
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
 * Hands a gradient to a node, out of the scope it was made in; two that meet are added. A node gets a gradient of its own
 * dtype: that of a bf16 weight, for one, comes as f32.
 */
function send(pending: Map<TapeNode, Tensor>, node: TapeNode, made: Tensor): void {
  const waiting = pending.get(node);
  const gradient = made.dtype === node.dtype ? made : nativeOp("cast", { x: made, dtype: node.dtype }).y;
  if (waiting === undefined) {
    pending.set(node, gradient.view(gradient.shape).keep()); // a view: one tensor may be the gradient of two inputs
    return;
  }
  pending.set(node, nativeOp("binary", { kind: "add", a: waiting, b: gradient }).y.keep());
  waiting.dispose();
}

function addToLeaf(leaf: Tensor, gradient: Tensor): void {
  if (!leaf.alive) {
    throw new VideomaeError({
      op: "backward",
      expected: `the leaf ${leaf} alive, to take its gradient`,
      got: "a freed one",
      hint: "dispose of parameters and inputs after the backward pass",
    });
  }
  leaf.grad ??= unscoped(() => Tensor.zeros(leaf.shape, leaf.dtype, leaf.device));
  nativeOp("accumulate", { y: leaf.grad, x: gradient });
}
