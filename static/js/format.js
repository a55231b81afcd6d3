// Numbers as the page shows them.

/**
 * Format a share, 0…1, as a whole percentage.
 * @param {number} share
 */
export const percent = (share) => `${Math.round(share * 100)}\u2009%`;

/**
 * Format a number of times in words: once, twice, 3 times.
 * @param {number} count
 */
export const times = (count) => (count === 1 ? "once" : count === 2 ? "twice" : `${count} times`);

/**
 * Format a duration in seconds: 42 s, 3 min 5 s.
 * @param {number} seconds
 */
export function duration(seconds) {
  const whole = Math.round(seconds);
  return whole < 60 ? `${whole} s` : `${Math.floor(whole / 60)} min ${whole % 60} s`;
}

/**
 * Format a time relative to now, in seconds (0 is now, negative is past): now, −0:30, −2:00.
 * @param {number} seconds
 */
export function relativeTime(seconds) {
  if (seconds >= 0) return "now";
  const whole = Math.round(-seconds);
  return `−${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}

/**
 * Return words as a sentence: with a capital letter and a full stop.
 * @param {string} words
 */
export const sentence = (words) => `${words[0].toUpperCase()}${words.slice(1)}${/[.!?…]$/.test(words) ? "" : "."}`;
