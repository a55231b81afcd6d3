import assert from "node:assert/strict";
import test from "node:test";

import { HoldTimer, rowOrder } from "../../static/js/tables/row_order.js";

const base = { present: ["a", "b", "c"], wanted: ["c", "d", "a"], dismissed: new Set([""]), held: false, capacity: 4 };

test("rows that may move take the server's order", () => {
  assert.deepEqual(rowOrder(base), ["c", "d", "a"]);
});

test("held rows keep their places, and new ones are appended", () => {
  assert.deepEqual(rowOrder({ ...base, held: true }), ["a", "b", "c", "d"]);
});

test("new rows are appended to held ones only as far as there is room", () => {
  assert.deepEqual(rowOrder({ ...base, wanted: ["x", "y", "z"], held: true }), ["a", "b", "c", "x"]);
  assert.deepEqual(rowOrder({ ...base, wanted: ["x"], held: true, capacity: 2 }), ["a", "b", "c"]);
});

test("a dismissed row leaves its place to a new one, held or not", () => {
  const dismissed = new Set(["b", "d"]);
  assert.deepEqual(rowOrder({ ...base, dismissed }), ["c", "a"]);
  assert.deepEqual(rowOrder({ ...base, wanted: ["c", "d", "e"], dismissed, held: true }), ["a", "c", "e"]);
});

test("an empty table has no rows to hold", () => {
  assert.deepEqual(rowOrder({ ...base, present: [], held: true, capacity: 1 }), ["c", "d", "a"]);
});

test("a timer holds rows for the longest of its times, until it is released", () => {
  let now = 1000;
  const timer = new HoldTimer(() => now);
  assert.equal(timer.remaining(), 0);
  timer.hold(4000);
  timer.hold(700);
  assert.equal(timer.remaining(), 4000);
  now += 3999;
  assert.equal(timer.remaining(), 1);
  now += 1;
  assert.equal(timer.remaining(), 0);
  timer.hold(700);
  timer.release();
  assert.equal(timer.remaining(), 0);
});
