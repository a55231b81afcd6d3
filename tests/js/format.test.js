import assert from "node:assert/strict";
import test from "node:test";

import { duration, percent, relativeTime, sentence, times } from "../../static/js/format.js";
import { describeMoments } from "../../static/js/inputs/file_moments.js";

test("numbers are formatted for the page", () => {
  assert.equal(percent(0.416), "42\u2009%");
  assert.deepEqual([1, 2, 3].map(times), ["once", "twice", "3 times"]);
  assert.deepEqual([0, 59.4, 59.6, 185].map(duration), ["0 s", "59 s", "1 min 0 s", "3 min 5 s"]);
  assert.deepEqual([0, -5, -65.2, -600].map(relativeTime), ["now", "−0:05", "−1:05", "−10:00"]);
});

test("a detail becomes a sentence", () => {
  assert.equal(sentence("the file is empty"), "The file is empty.");
  assert.equal(sentence("Try again!"), "Try again!");
});

test("the moments of a clip are described as spans of one emotion", () => {
  const moments = [
    { at: 0, label: "happy" },
    { at: 1, label: "happy" },
    { at: 2, label: null },
    { at: 3, label: null },
  ];
  assert.equal(describeMoments(moments), "happy 0.0–2.0\u2009s, nothing read 2.0–3.0\u2009s");
  assert.equal(describeMoments([]), "");
});
