// The shares of the seven emotions over time, stacked, with marks where words or the voice spoke.

import uPlot from "../vendor/uPlot.esm.js";

const HEIGHT = 190; // pixels of the page
const LEAST_SPAN = 60; // seconds: a session that has just begun is not blown up
const MARKS_HEIGHT = 14; // pixels of the page, above the stack
const TICK_STEPS = [10, 20, 30, 60, 120, 180, 300]; // seconds

export class SharesChart {
  #plot = null;
  #host;
  #emotions;
  #marks = [];

  /** Draw into an element; `emotions` are stacked in their order, the first on top. */
  constructor(host, emotions) {
    this.#host = host;
    this.#emotions = emotions;
  }

  get canvas() {
    return this.#plot.ctx.canvas;
  }

  /** Draw moods, oldest first, with null for a vector where nothing was known, and marks {at, source}, as of `now`. */
  draw(moods, marks, now) {
    this.#marks = marks.map((mark) => ({ ...mark, x: mark.at - now }));
    const data = [moods.map((mood) => mood.at - now)];
    // From the sum of all down to the last one alone, each painted over the one before.
    for (let first = 0; first < this.#emotions.length; first += 1) {
      const stacked = this.#emotions.slice(first);
      data.push(moods.map(({ vector }) => vector && stacked.reduce((sum, emotion) => sum + vector[emotion], 0)));
    }
    const width = this.#host.clientWidth;
    if (this.#plot) {
      if (this.#plot.width !== width) this.#plot.setSize({ width, height: HEIGHT });
      this.#plot.setData(data);
    } else this.#plot = new uPlot(this.#options(width), data, this.#host);
  }

  #options(width) {
    const color = (name) => () => getComputedStyle(this.#host).getPropertyValue(`--${name}`);
    const font = `12px ${getComputedStyle(this.#host).fontFamily}`;
    const axis = { stroke: color("muted"), font, ticks: { show: false } };
    return {
      width,
      height: HEIGHT,
      padding: [MARKS_HEIGHT + 4, 12, 0, 0],
      cursor: { show: false },
      legend: { show: false },
      scales: {
        x: { time: false, range: (_, first) => [Math.min(first ?? 0, -LEAST_SPAN), 0] },
        y: { range: [0, 1] },
      },
      axes: [
        { ...axis, size: 26, incrs: TICK_STEPS, space: 60, grid: { show: false }, values: (_, places) => places.map(ago) },
        { ...axis, size: 46, incrs: [0.5], grid: { stroke: color("shade"), width: 1 }, values: (_, all) => all.map(inPercent) },
      ],
      series: [
        {},
        ...this.#emotions.map((emotion) => ({
          fill: color(emotion),
          stroke: color("surface"), // parts neighbours whose colours some can't tell apart
          width: 0.6,
          points: { show: false },
        })),
      ],
      hooks: { draw: [(plot) => this.#drawMarks(plot)] },
    };
  }

  /** A triangle where words spoke and a dot where the voice did, above the stack, each with a line down through it. */
  #drawMarks({ ctx, bbox, valToPos }) {
    const density = window.devicePixelRatio || 1;
    const radius = 4 * density;
    const y = bbox.top - (MARKS_HEIGHT / 2) * density;
    ctx.save();
    ctx.fillStyle = ctx.strokeStyle = getComputedStyle(this.#host).getPropertyValue("--text");
    ctx.lineWidth = density;
    for (const { source, x: seconds } of this.#marks) {
      const x = valToPos(seconds, "x", true);
      if (x < bbox.left || x > bbox.left + bbox.width) continue;
      ctx.beginPath();
      if (source === "text") {
        ctx.moveTo(x - radius, y - radius);
        ctx.lineTo(x + radius, y - radius);
        ctx.lineTo(x, y + radius);
      } else ctx.arc(x, y, radius * 0.75, 0, 2 * Math.PI);
      ctx.fill();
      if (source === "text") {
        ctx.setLineDash([3 * density, 3 * density]);
        ctx.beginPath();
        ctx.moveTo(x, bbox.top);
        ctx.lineTo(x, bbox.top + bbox.height);
        ctx.stroke();
      }
    }
    ctx.restore();
  }
}

function ago(seconds) {
  if (seconds >= 0) return "now";
  const whole = Math.round(-seconds);
  return `−${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}

const inPercent = (share) => `${Math.round(share * 100)}\u2009%`;
