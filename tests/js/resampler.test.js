import assert from "node:assert/strict";
import test from "node:test";

import { Resampler } from "../../static/js/inputs/resampler.js";

const TARGET = 16_000; // Hz

/** @param {number} frequency @param {number} rate */
const sine = (frequency, rate) =>
  Float32Array.from({ length: rate / 4 }, (_, n) => Math.sin((2 * Math.PI * frequency * n) / rate));

/** @param {Float32Array} samples @param {number} rate @param {number} block */
function resample(samples, rate, block = 128) {
  const resampler = new Resampler(rate, TARGET);
  const output = [];
  for (let n = 0; n < samples.length; n += block) output.push(...resampler.push(samples.subarray(n, n + block)));
  return output;
}

for (const rate of [8_000, 44_100, 48_000, 96_000]) {
  test(`a tone of 1 kHz passes from ${rate} Hz unchanged`, () => {
    const output = resample(sine(1000, rate), rate);
    assert.ok(Math.abs(output.length - TARGET / 4) <= 60);
    for (let n = 100; n < output.length - 100; n += 1) {
      assert.ok(Math.abs(output[n] - Math.sin((2 * Math.PI * 1000 * n) / TARGET)) < 0.01, `sample ${n}`);
    }
  });
}

for (const frequency of [10_000, 15_900]) {
  test(`a tone of ${frequency} Hz, which 16 kHz cannot represent, is removed and does not alias`, () => {
    const output = resample(sine(frequency, 48_000), 48_000).slice(100, -100);
    assert.ok(output.length > 3000);
    assert.ok(Math.max(...output.map(Math.abs)) < 0.003);
  });
}

test("a constant keeps its level", () => {
  const output = resample(new Float32Array(12_000).fill(0.5), 48_000).slice(100, -100);
  for (const sample of output) assert.ok(Math.abs(sample - 0.5) < 1e-4);
});

test("the size of the blocks does not change the result", () => {
  const tone = sine(440, 44_100);
  assert.deepEqual(resample(tone, 44_100, 128), resample(tone, 44_100, 1000));
});
