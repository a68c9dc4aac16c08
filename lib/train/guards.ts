// What a run watches in its own numbers: updates that were skipped because something was not finite, and spikes of the
// loss. It also smooths the loss, by which the best checkpoint is chosen. All of it is a function of the updates so far,
// and is kept in checkpoints, so a resumed run goes on counting where the one before stopped.
//
//   spike      loss > spikeRatio * median of the last 100 finite losses, once there are 20; reported where it begins
//   smoothed   s = 0.99 s + 0.01 loss, w = 0.99 w + 0.01, both from 0; the smoothed loss is s / w
import { VideomaeError } from "../errors.js";

const WINDOW = 100;
const FEWEST = 20;
const DECAY = 0.99;

export interface GuardOptions {
  /** Skipped updates in a row that end the run. */
  readonly maxSkips: number;
  /** How many times the median a loss must be to be a spike. */
  readonly spikeRatio: number;
}

/** Plain data with finite numbers. */
export interface GuardState {
  /** Updates skipped so far, and those of them that came last without another between. */
  readonly skipped: number;
  readonly skippedInARow: number;
  readonly spikes: number;
  /** Whether the last finite loss belonged to a spike. */
  readonly spiking: boolean;
  /** Batches written to the run's folder. */
  readonly dumps: number;
  readonly smoothed: { readonly sum: number; readonly weight: number };
  /** The last finite losses, oldest first. */
  readonly recent: readonly number[];
}

/** The state of a run that has seen nothing. */
export const noUpdates: GuardState = {
  skipped: 0,
  skippedInARow: 0,
  spikes: 0,
  spiking: false,
  dumps: 0,
  smoothed: { sum: 0, weight: 0 },
  recent: [],
};

export interface Spike {
  readonly median: number;
  /** loss / median */
  readonly ratio: number;
}

export class Guards {
  readonly #options: GuardOptions;
  #state: GuardState;

  constructor(options: GuardOptions, state: GuardState = noUpdates) {
    this.#options = options;
    this.#state = state;
  }

  get state(): GuardState {
    return this.#state;
  }

  /** The smoothed loss; undefined before the first finite one. */
  get smoothedLoss(): number | undefined {
    const { sum, weight } = this.#state.smoothed;
    return weight > 0 ? sum / weight : undefined;
  }

  /** Takes in the loss of an update that was made. Returns the spike that begins with it, if one does. */
  updated(loss: number): Spike | undefined {
    const { recent, smoothed, spiking, spikes } = this.#state;
    const middle = recent.length >= FEWEST ? median(recent) : Number.POSITIVE_INFINITY;
    const high = loss > this.#options.spikeRatio * middle;
    const begins = high && !spiking;
    this.#state = {
      ...this.#state,
      skippedInARow: 0,
      spikes: spikes + (begins ? 1 : 0),
      spiking: high,
      smoothed: {
        sum: DECAY * smoothed.sum + (1 - DECAY) * loss,
        weight: DECAY * smoothed.weight + (1 - DECAY),
      },
      recent: [...recent.slice(recent.length < WINDOW ? 0 : 1), loss],
    };
    return begins ? { median: middle, ratio: loss / middle } : undefined;
  }

  /** Takes in a skipped update. */
  skipped(): void {
    const { skipped, skippedInARow } = this.#state;
    this.#state = { ...this.#state, skipped: skipped + 1, skippedInARow: skippedInARow + 1 };
  }

  /** Notes that a batch was written. */
  dumped(): void {
    this.#state = { ...this.#state, dumps: this.#state.dumps + 1 };
  }

  /**
   * Call it after a skipped update is logged.
   * @throws VideomaeError when there were too many in a row
   */
  check(step: number, loss: number): void {
    const { skippedInARow } = this.#state;
    if (skippedInARow < this.#options.maxSkips) return;
    throw new VideomaeError({
      op: `update ${step}`,
      expected: "a finite loss and gradient",
      got: `${skippedInARow} updates in a row without; the last loss was ${loss}`,
      hint: "lower --lr, lengthen the warm-up, or clip gradients with --clip-norm; incident-<step>.json says where it began",
    });
  }
}

function median(values: readonly number[]): number {
  const sorted = Float64Array.from(values).sort();
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}
