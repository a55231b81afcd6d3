import assert from "node:assert/strict";
import test from "node:test";

import { ServerClock } from "../../static/js/mood/server_clock.js";

test("the message with the shortest delay sets the offset", () => {
  const clock = new ServerClock();
  clock.update(100, 1100.5);
  assert.equal(clock.offset, 1000.5);
  clock.update(101, 1101.25);
  assert.equal(clock.offset, 1000.25);
  clock.update(102, 1104); // two seconds late
  assert.equal(clock.offset, 1000.25);
});

test("a difference too large for a delay shows that a clock was set or the server changed", () => {
  const clock = new ServerClock();
  clock.update(100, 1100);
  clock.update(101, 1131); // exactly the limit: still a delay
  assert.equal(clock.offset, 1000);
  clock.update(5, 1132);
  assert.equal(clock.offset, 1127);
});
