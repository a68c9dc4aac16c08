// A page without a browser: it takes the server's events and holds what a page would show.
import type { Messages, SectionName, SeriesName } from "#lib/watch/messages.js";

export class Listener {
  readonly sections: Partial<Record<SectionName, string>> = {};
  readonly steps = new Map<SeriesName, number[]>();
  readonly means = new Map<SeriesName, number[]>();
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
    if (anew) for (const kept of [this.steps, this.means]) kept.clear();
    this.skipped = skipped;
    for (const [key, { from, step, mean }] of Object.entries(series)) {
      const name = key as SeriesName;
      this.steps.set(name, [...(this.steps.get(name) ?? []).slice(0, from), ...step]);
      this.means.set(name, [...(this.means.get(name) ?? []).slice(0, from), ...mean]);
    }
  }
}
