// Which rows a table shows, and when they may move: never while a visitor reads, points at or touches them.

/**
 * Return the ids of the rows to show, in order.
 *
 * Without `held`, these are the wanted rows. With it, the present rows keep their places, and others are appended as far as
 * there is room. Dismissed rows (skipped or hidden) are never shown.
 * @param {{ present: string[], wanted: string[], dismissed: Set<string>, held: boolean, capacity: number }} rows
 *   ids of the shown rows, and of those the server sent, best first
 * @returns {string[]}
 */
export function rowOrder({ present, wanted, dismissed, held, capacity }) {
  const allowed = wanted.filter((id) => !dismissed.has(id));
  if (!held || present.length === 0) return allowed;
  const kept = present.filter((id) => !dismissed.has(id));
  const added = allowed.filter((id) => !kept.includes(id));
  return [...kept, ...added].slice(0, Math.max(capacity, kept.length));
}

/** Counts down the time for which rows must not move. */
export class HoldTimer {
  #now;
  #until = -Infinity;

  /** @param {() => number} now returns a monotonic time in ms */
  constructor(now = () => performance.now()) {
    this.#now = now;
  }

  /**
   * Hold the rows for at least this long from now.
   * @param {number} milliseconds
   */
  hold(milliseconds) {
    this.#until = Math.max(this.#until, this.#now() + milliseconds);
  }

  /** Let the rows move at once. */
  release() {
    this.#until = -Infinity;
  }

  /** Return for how many ms the rows must not move, 0 if they may. */
  remaining() {
    return Math.max(this.#until - this.#now(), 0);
  }
}
