// How good a classifier is: top-1 and top-5, class by class, and what it takes for what (spec 4.12). Counts are of whole
// clips, so they are exact whatever failed.

/** Outcomes of a test set, one clip after the other. */
export class Accuracy {
  readonly classes: number;
  /** (K, K) Clips of class i (row) that were taken for class j. */
  readonly confusion: Int32Array;
  #clips = 0;
  #top1 = 0;
  #top5 = 0;

  /** @param classes  how many there are, K */
  constructor(classes: number) {
    this.classes = classes;
    this.confusion = new Int32Array(classes * classes);
  }

  /**
   * Counts a clip.
   * @param scores  (K), of the classes: probabilities, or anything that is larger where the class is likelier
   * @param label  the clip's class
   * @returns the class with the highest score, the first of several
   */
  add(scores: ArrayLike<number>, label: number): number {
    let best = 0;
    let ahead = 0;
    for (let i = 0; i < this.classes; i++) {
      if (scores[i] > scores[best]) best = i;
      // Of equal scores the first is ahead, so that a clip has one rank.
      if (scores[i] > scores[label] || (scores[i] === scores[label] && i < label)) ahead++;
    }
    this.#clips++;
    if (ahead === 0) this.#top1++;
    if (ahead < 5) this.#top5++;
    this.confusion[label * this.classes + best]++;
    return best;
  }

  /** Clips counted. */
  get clips(): number {
    return this.#clips;
  }

  /** Fraction whose class has the highest score; NaN of no clips. */
  get top1(): number {
    return this.#top1 / this.#clips;
  }

  /** Fraction whose class has one of the five highest scores. */
  get top5(): number {
    return this.#top5 / this.#clips;
  }

  /** The confusion row by row: (K)(K). */
  rows(): number[][] {
    const { classes, confusion } = this;
    return Array.from({ length: classes }, (_, k) => [...confusion.subarray(k * classes, (k + 1) * classes)]);
  }

  /** For each class: its clips, and how many of them were recognised. */
  perClass(): { clips: number; correct: number }[] {
    const { classes, confusion } = this;
    return Array.from({ length: classes }, (_, k) => {
      const row = confusion.subarray(k * classes, (k + 1) * classes);
      return { clips: row.reduce((sum, count) => sum + count, 0), correct: row[k] };
    });
  }

  /** The mean of the classes' accuracies, of those that have clips. */
  get classMean(): number {
    const rates = this.perClass().flatMap(({ clips, correct }) => (clips === 0 ? [] : [correct / clips]));
    return rates.reduce((sum, rate) => sum + rate, 0) / rates.length;
  }
}
