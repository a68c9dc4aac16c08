// A page without a browser: it takes the server's events and holds what a page would show.
import type { Messages, SectionName, SeriesName } from "#lib/watch/messages.js";
import { type Points, takeParts } from "#lib/watch/page/points.js";

export class Listener {
  readonly sections: Partial<Record<SectionName, string>> = {};
  readonly #known = new Map<SeriesName, Points>();
  skipped: readonly number[] = [];
  window = "";
  /** Names of all events, in order. */
  readonly events: string[] = [];
  /** Settles when the server has ended the stream. */
  readonly ended: Promise<void>;
  readonly #stop = new AbortController();
  #told: (() => void)[] = [];

  constructor(url: string) {
    this.ended = this.#listen(url);
  }

  /** Waits until something is so; the condition is asked anew with every event. */
  async until(condition: () => boolean): Promise<void> {
    const late = AbortSignal.timeout(30_000);
    while (!condition()) {
      await new Promise<void>((resolve, reject) => {
        this.#told.push(resolve);
        late.addEventListener("abort", () => reject(new Error(`not so after 30 s: ${JSON.stringify(this.sections)}`)));
      });
    }
  }

  /** Steps of a curve, where it has points. */
  steps(name: SeriesName): readonly number[] | undefined {
    return this.#known.get(name)?.step;
  }

  /** Means of a curve, where it has points. */
  means(name: SeriesName): readonly number[] | undefined {
    return this.#known.get(name)?.mean;
  }

  /** Text of a place. */
  text(section: SectionName): string {
    return (this.sections[section] ?? "")
      .replace(/<[^>]*>/g, " ")
      .replace(/\s+/g, " ")
      .trim();
  }

  stop(): void {
    this.#stop.abort();
  }

  async #listen(url: string): Promise<void> {
    let text = "";
    try {
      const { body } = await fetch(url, { signal: this.#stop.signal });
      for await (const part of body!.pipeThrough(new TextDecoderStream())) {
        const messages = (text + part).split("\n\n");
        text = messages.pop()!;
        for (const message of messages) this.#take(message);
      }
    } catch (error) {
      if (!this.#stop.signal.aborted) throw error;
    }
  }

  #take(message: string): void {
    const [, event, data] = /^event: (\w+)\ndata: (.*)$/s.exec(message) ?? [];
    if (event === undefined) return; // a comment, or when to try again
    this.events.push(event);
    if (event === "sections") {
      const { window, changed } = JSON.parse(data) as Messages["sections"];
      this.window = window;
      Object.assign(this.sections, changed);
    } else if (event === "curves") this.#curves(JSON.parse(data));
    const told = this.#told;
    this.#told = [];
    for (const tell of told) tell();
  }

  #curves({ anew, series, skipped }: Messages["curves"]): void {
    if (anew) this.#known.clear();
    this.skipped = skipped;
    takeParts(this.#known, series);
  }
}
