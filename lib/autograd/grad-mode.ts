// Whether ops are recorded. Off inside noGrad(); follows the async context like scope().
import { AsyncLocalStorage } from "node:async_hooks";

const mode = new AsyncLocalStorage<boolean>();

/** Whether ops on tensors that require gradients are recorded now. */
export function gradEnabled(): boolean {
  return mode.getStore() ?? true;
}

/** Runs `body` without recording: results require no gradient, and nothing is saved for a backward pass. */
export function noGrad<T>(body: () => T): T {
  return mode.run(false, body);
}

/** Runs `body` with recording on, also inside noGrad(). */
export function withGrad<T>(body: () => T): T {
  return mode.run(true, body);
}
