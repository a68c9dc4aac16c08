// Going through an async iterable until a signal says stop, also while an item is being waited for.

const STOP_MS = 5_000;

export interface Interruptible<T> extends AsyncDisposable {
  /** The next item; undefined at the end, and as soon as the signal is aborted. */
  next(): Promise<T | undefined>;
}

/** Disposing of it tells the source to end, and leaves one that is stuck behind after five seconds. */
export function interruptible<T>(source: AsyncIterable<T>, signal: AbortSignal | undefined): Interruptible<T> {
  const iterator = source[Symbol.asyncIterator]();
  return {
    async next() {
      if (signal?.aborted) return undefined;
      const result = await orAborted(iterator.next(), signal);
      return result?.done ? undefined : result?.value;
    },
    async [Symbol.asyncDispose]() {
      await atMost(STOP_MS, iterator.return?.());
    },
  };
}

/** What `promise` comes to; undefined as soon as `signal` is aborted. */
function orAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T | undefined> {
  if (signal === undefined) return promise;
  return new Promise((resolve, reject) => {
    const stop = () => resolve(undefined);
    signal.addEventListener("abort", stop, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", stop));
  });
}

async function atMost(milliseconds: number, promise: Promise<unknown> | undefined): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, milliseconds);
  });
  await Promise.race([promise, late]).finally(() => clearTimeout(timer));
}
