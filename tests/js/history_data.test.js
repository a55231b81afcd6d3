import assert from "node:assert/strict";
import test from "node:test";

import { HistoryData, readingMarks, summarize, toCsv, withGaps } from "../../static/js/mood/history_data.js";

/** @import { Emotion, Mood } from "../../static/js/messages.js" */

/** @type {Emotion[]} */
const EMOTIONS = ["happy", "sad"];

/**
 * @param {number} at
 * @param {Partial<Mood>} fields
 * @returns {Mood}
 */
function mood(at, fields = {}) {
  const vector = { angry: 0, disgust: 0, fear: 0, happy: 0.75, sad: 0.25, surprise: 0, neutral: 0 };
  const reading = { label: /** @type {Emotion} */ ("happy"), confidence: 0.75, vector, valence: 0.5, arousal: 0.25 };
  return { ...reading, name: "happy", mixed: null, sources: {}, said: {}, at, ...fields };
}

/** @param {number} at */
const read = (at) => ({ label: /** @type {Emotion} */ ("happy"), confidence: 0.75, weight: 1, at });

/** @param {Mood[]} moods */
function historyOf(moods, now = 1_000_000) {
  const history = new HistoryData();
  history.add(moods, now);
  return history;
}

test("times of the server's clock become times of this device", () => {
  const { entries } = historyOf([mood(10), mood(11)], 5000);
  assert.deepEqual(
    entries.map((entry) => entry.at),
    [4999, 5000],
  );
});

test("moods that arrive twice or late are not added", () => {
  const history = historyOf([mood(10), mood(11)], 5000);
  history.add([mood(10), mood(11), mood(12)], 5001);
  assert.equal(history.entries.length, 3);
});

test("ten minutes are held, and the oldest moods are dropped", () => {
  const { entries } = historyOf(Array.from({ length: 700 }, (_, second) => mood(second)));
  assert.equal(entries.length, 600);
  assert.equal(entries[599].at - entries[0].at, 599);
});

test("moods from before a deletion do not come back", () => {
  const history = historyOf([mood(10)], 5000);
  history.clear(5000.5);
  history.add([mood(10)], 5001);
  assert.deepEqual(history.entries, []);
  history.add([mood(12)], 5002);
  assert.equal(history.entries.length, 1);
});

test("a gap is marked where nothing was known", () => {
  const { entries } = historyOf([mood(0), mood(1), mood(9)], 9);
  assert.deepEqual(
    withGaps(entries).map(({ at, vector }) => [at, vector === null]),
    [
      [0, false],
      [1, false],
      [2, true],
      [9, false],
    ],
  );
});

test("each reading of text and voice is marked once", () => {
  const { entries } = historyOf(
    [
      mood(0, { said: { text: read(0) } }),
      mood(1, { said: { text: read(0), speech: read(1) } }),
      mood(2, { said: { text: read(2) } }),
    ],
    2,
  );
  assert.deepEqual(readingMarks(entries), [
    { source: "text", at: 0 },
    { source: "speech", at: 1 },
    { source: "text", at: 2 },
  ]);
});

test("the summary names the two strongest emotions and how often text and voice were read", () => {
  const plain = historyOf([mood(0), mood(65)], 65).entries;
  assert.equal(summarize(plain, EMOTIONS), "In 1 min 5 s: mostly happy (75\u2009%), then sad (25\u2009%).");
  const said = historyOf(
    [mood(0, { said: { text: read(0) } }), mood(5, { said: { text: read(5), speech: read(5) } })],
    5,
  ).entries;
  assert.match(summarize(said, EMOTIONS), /^In 5 s: .*\. Text read twice, voice read once\.$/);
});

test("the CSV file has a row per mood", () => {
  const { entries } = historyOf(
    [mood(0, { mixed: ["happy", "sad"], sources: { face: 1 }, said: { face: read(0) } })],
    86_400,
  );
  assert.deepEqual(toCsv(entries, EMOTIONS).split("\r\n"), [
    "time,label,mixed,confidence,happy,sad,valence,arousal,face_says,face_share,speech_says,speech_share,text_says,text_share,chosen_says,chosen_share",
    "1970-01-02T00:00:00.000Z,happy,happy|sad,0.75,0.75,0.25,0.5,0.25,happy,1,,,,,,",
    "",
  ]);
});
