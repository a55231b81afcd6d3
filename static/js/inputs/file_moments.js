// Describes the emotions of a clip over time in words.

/**
 * Describe which emotion leads from when to when: "happy 0.0–2.0 s, nothing read 2.0–4.0 s".
 * @param {{ at: number, label: string | null }[]} moments in time order, `at` in seconds
 */
export function describeMoments(moments) {
  /** @type {{ label: string | null, from: number, to: number }[]} */
  const spans = [];
  for (const { at, label } of moments) {
    const last = spans.at(-1);
    if (last) last.to = at;
    if (last?.label !== label) spans.push({ label, from: at, to: at });
  }
  return spans
    .map(({ label, from, to }) => `${label ?? "nothing read"} ${from.toFixed(1)}–${to.toFixed(1)}\u2009s`)
    .join(", ");
}
