// The moods of this session: collected from the server, summarized, and exported as CSV. Nothing here needs a browser.

/** @import { Emotion, Mood, Source, Vector } from "../messages.js" */
/** @typedef {Mood & { at: number, clockOffset: number }} HistoryEntry `at` in seconds since 1970 by this device's clock */
/** @typedef {{ at: number, source: Source }} Mark a time at which a source was read */

import { duration, percent, times } from "../format.js";
import { ServerClock } from "./server_clock.js";

const MAX_ENTRIES = 600; // ten minutes: the server sends one a second
const MAX_GAP_SECONDS = 2.5; // between two moods; after a longer gap, nothing was known in between
/** @type {Source[]} */
const MARKED_SOURCES = ["text", "speech"]; // they are read at single moments, a face all the time
/** @type {Source[]} */
const SOURCES = ["face", "speech", "text", "chosen"];

export class HistoryData {
  /** Oldest first. @type {HistoryEntry[]} */
  entries = [];

  #clock = new ServerClock();
  #clearedAt = -Infinity; // entries from before are never shown again, even if they arrive late

  /**
   * Add moods as the server sends them, oldest first.
   * @param {Mood[]} moods
   * @param {number} now in seconds since 1970
   */
  add(moods, now) {
    const newest = moods.at(-1);
    if (newest?.at == null) return;
    this.#clock.update(newest.at, now);
    const clockOffset = this.#clock.offset;
    for (const mood of moods) {
      if (mood.at === null) continue;
      const at = mood.at + clockOffset;
      const last = this.entries.at(-1)?.at ?? this.#clearedAt;
      if (at > last) this.entries.push({ ...mood, at, clockOffset });
    }
    this.entries = this.entries.slice(-MAX_ENTRIES);
  }

  /**
   * Delete all moods.
   * @param {number} now in seconds since 1970
   */
  clear(now) {
    this.entries = [];
    this.#clearedAt = now;
  }
}

/**
 * Return the moods with an entry of null vector wherever nothing was known between two of them.
 * @param {HistoryEntry[]} entries
 * @returns {{ at: number, vector: Vector | null }[]}
 */
export function withGaps(entries) {
  return entries.flatMap((entry, index) => {
    const before = entries[index - 1];
    return before && entry.at - before.at > MAX_GAP_SECONDS ? [{ at: before.at + 1, vector: null }, entry] : [entry];
  });
}

/**
 * Return when text or the voice was read.
 * @param {HistoryEntry[]} entries
 * @returns {Mark[]}
 */
export function readingMarks(entries) {
  const marks = [];
  /** @type {Partial<Record<Source, number>>} */
  const lastAt = {};
  for (const entry of entries) {
    for (const source of MARKED_SOURCES) {
      const contribution = entry.said[source];
      if (!contribution) continue;
      if (contribution.at !== lastAt[source]) marks.push({ source, at: contribution.at + entry.clockOffset });
      lastAt[source] = contribution.at;
    }
  }
  return marks;
}

/**
 * Summarize the session: "In 42 s: mostly sad (85 %), then happy (5 %). Text read once, voice read twice."
 * @param {HistoryEntry[]} entries not empty
 * @param {Emotion[]} emotions
 */
export function summarize(entries, emotions) {
  const mean = (/** @type {Emotion} */ emotion) =>
    entries.reduce((sum, entry) => sum + entry.vector[emotion], 0) / entries.length;
  const [first, second] = emotions
    .map((emotion) => ({ emotion, share: mean(emotion) }))
    .sort((one, other) => other.share - one.share);
  const marks = readingMarks(entries);
  const count = (/** @type {Source} */ source) => marks.filter((mark) => mark.source === source).length;
  const readings = [
    count("text") ? `text read ${times(count("text"))}` : "",
    count("speech") ? `voice read ${times(count("speech"))}` : "",
  ]
    .filter(Boolean)
    .join(", ");
  const span = duration(entries[entries.length - 1].at - entries[0].at);
  const moods = `mostly ${first.emotion} (${percent(first.share)}), then ${second.emotion} (${percent(second.share)})`;
  return `In ${span}: ${moods}.${readings ? ` ${readings[0].toUpperCase()}${readings.slice(1)}.` : ""}`;
}

/**
 * Export moods as CSV: one row per mood, times in UTC, shares 0…1.
 * @param {HistoryEntry[]} entries
 * @param {Emotion[]} emotions
 */
export function toCsv(entries, emotions) {
  const header = ["time", "label", "mixed", "confidence", ...emotions, "valence", "arousal"];
  header.push(...SOURCES.flatMap((source) => [`${source}_says`, `${source}_share`]));
  const rows = entries.map((mood) => [
    new Date(mood.at * 1000).toISOString(),
    mood.label,
    mood.mixed?.join("|") ?? "",
    mood.confidence,
    ...emotions.map((emotion) => mood.vector[emotion]),
    mood.valence,
    mood.arousal,
    ...SOURCES.flatMap((source) => [mood.said[source]?.label ?? "", mood.sources[source] ?? ""]),
  ]);
  return [header, ...rows].map((row) => `${row.join(",")}\r\n`).join("");
}
