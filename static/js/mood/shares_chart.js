// The shares of the seven emotions over time as stacked areas, with marks where text or the voice was read.

/** @import { Emotion, Vector } from "../messages.js" */
/** @import { Mark } from "./history_data.js" */

import uPlot from "../../vendor/uPlot.esm.js";
import { percent, relativeTime } from "../format.js";

const HEIGHT = 190; // CSS pixels
const MIN_SPAN_SECONDS = 60; // shorter sessions are not stretched to the full width
const MARKS_HEIGHT = 14; // CSS pixels, above the areas
const TICK_STEPS_SECONDS = [10, 20, 30, 60, 120, 180, 300];

export class SharesChart {
  /** @type {uPlot | null} */
  #plot = null;
  #host;
  #emotions;
  /** @type {(Mark & { x: number })[]} */
  #marks = [];

  /**
   * Draw into `host`; `emotions` are stacked in their order, the first on top.
   * @param {HTMLElement} host
   * @param {Emotion[]} emotions
   */
  constructor(host, emotions) {
    this.#host = host;
    this.#emotions = emotions;
  }

  /** The canvas; throws an Error before the first draw. */
  get canvas() {
    if (!this.#plot) throw new Error("the chart is not drawn yet");
    return this.#plot.ctx.canvas;
  }

  /**
   * Draw moods, oldest first, with a null vector where nothing was known, and marks, all relative to `now` in seconds.
   * @param {{ at: number, vector: Vector | null }[]} moods
   * @param {Mark[]} marks
   * @param {number} now
   */
  draw(moods, marks, now) {
    this.#marks = marks.map((mark) => ({ ...mark, x: mark.at - now }));
    // From the sum of all emotions down to the last one alone: each area is painted over the previous one.
    const sums = this.#emotions.map((_, first) => {
      const stacked = this.#emotions.slice(first);
      return moods.map(({ vector }) => vector && stacked.reduce((sum, emotion) => sum + vector[emotion], 0));
    });
    /** @type {uPlot.AlignedData} */
    const data = [moods.map((mood) => mood.at - now), ...sums];
    const width = this.#host.clientWidth;
    if (this.#plot) {
      if (this.#plot.width !== width) this.#plot.setSize({ width, height: HEIGHT });
      this.#plot.setData(data);
    } else this.#plot = new uPlot(this.#options(width), data, this.#host);
  }

  /**
   * @param {number} width
   * @returns {uPlot.Options}
   */
  #options(width) {
    const color = (/** @type {string} */ name) => () => getComputedStyle(this.#host).getPropertyValue(`--${name}`);
    const font = `12px ${getComputedStyle(this.#host).fontFamily}`;
    const axis = { stroke: color("muted"), font, ticks: { show: false } };
    return {
      width,
      height: HEIGHT,
      padding: [MARKS_HEIGHT + 4, 12, 0, 0],
      cursor: { show: false },
      legend: { show: false },
      scales: {
        x: { time: false, range: (_, first) => [Math.min(first ?? 0, -MIN_SPAN_SECONDS), 0] },
        y: { range: [0, 1] },
      },
      axes: [
        {
          ...axis,
          size: 26,
          incrs: TICK_STEPS_SECONDS,
          space: 60,
          grid: { show: false },
          values: (_, ticks) => ticks.map(relativeTime),
        },
        {
          ...axis,
          size: 46,
          incrs: [0.5],
          grid: { stroke: color("shade"), width: 1 },
          values: (_, ticks) => ticks.map(percent),
        },
      ],
      series: [
        {},
        ...this.#emotions.map((emotion) => ({
          fill: color(emotion),
          stroke: color("surface"), // separates neighboring areas for color-blind visitors
          width: 0.6,
          points: { show: false },
        })),
      ],
      hooks: { draw: [(plot) => this.#drawMarks(plot)] },
    };
  }

  /**
   * Draw, above the areas, a triangle with a line down through them where text was read, and a dot where the voice was.
   * @param {uPlot} plot
   */
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
