// The circumplex: where the mood lies between unpleasant and pleasant, calm and excited, with a trail of the last minute.

import { context2d } from "../dom.js";

/** @typedef {{ valence: number, arousal: number }} Point both −1…1 */

const TRAIL_SECONDS = 60;
const MARGIN = 16; // CSS pixels around the circle
/** Emotions whose names would overlap others above their point stand beside it. @type {Record<string, "start" | "end">} */
const SIDE_LABELS = { angry: "end", fear: "start" };

export class Circumplex {
  trailSeconds = TRAIL_SECONDS;
  canvas;

  /** The seven emotions with their [valence, arousal]. @type {[string, [number, number]][]} */
  #emotions;
  /** @type {Point[]} */
  #trail = [];

  /** @param {HTMLCanvasElement} canvas */
  constructor(canvas) {
    this.canvas = canvas;
    this.#emotions = Object.entries(JSON.parse(canvas.dataset.places ?? "{}"));
  }

  /**
   * Draw moods, oldest first; the last one is the current mood.
   * @param {Point[]} moods
   */
  draw(moods) {
    this.#trail = moods;
    this.#paint(moods.at(-1) ?? null);
  }

  /**
   * Move the point to the current mood, or remove it for null, without a new trail.
   * @param {Point | null} mood
   */
  showMood(mood) {
    this.#paint(mood);
  }

  /** @param {Point | null} current */
  #paint(current) {
    const density = window.devicePixelRatio || 1;
    const side = this.canvas.clientWidth;
    if (side <= 2 * MARGIN) return; // not shown yet; it is drawn again once it is
    if (this.canvas.width !== Math.round(side * density))
      this.canvas.width = this.canvas.height = Math.round(side * density);
    const pen = context2d(this.canvas);
    const style = getComputedStyle(this.canvas);
    const color = (/** @type {string} */ name) => style.getPropertyValue(`--${name}`);
    const radius = side / 2 - MARGIN;
    /** @type {(valence: number, arousal: number) => [number, number]} */
    const position = (valence, arousal) => [side / 2 + valence * radius, side / 2 - arousal * radius];
    pen.setTransform(density, 0, 0, density, 0, 0);
    pen.clearRect(0, 0, side, side);

    pen.strokeStyle = color("shade");
    pen.lineWidth = 1.5;
    pen.beginPath();
    pen.arc(side / 2, side / 2, radius, 0, 2 * Math.PI);
    pen.moveTo(side / 2 - radius, side / 2);
    pen.lineTo(side / 2 + radius, side / 2);
    pen.moveTo(side / 2, side / 2 - radius);
    pen.lineTo(side / 2, side / 2 + radius);
    pen.stroke();

    pen.font = `12px ${style.fontFamily}`;
    for (const [emotion, [valence, arousal]] of this.#emotions) {
      const [x, y] = position(valence, arousal);
      pen.fillStyle = color(emotion);
      pen.beginPath();
      pen.arc(x, y, 4, 0, 2 * Math.PI);
      pen.fill();
      pen.fillStyle = color("muted");
      const width = pen.measureText(emotion).width;
      const labelSide = SIDE_LABELS[emotion];
      const left = labelSide ? { end: x - width - 7, start: x + 7 }[labelSide] : x - width / 2;
      pen.fillText(emotion, Math.min(Math.max(left, 1), side - width - 1), labelSide ? y + 4 : y - 8);
    }

    pen.strokeStyle = color("accent");
    pen.lineWidth = 2;
    this.#trail.slice(1).forEach((mood, index) => {
      const before = this.#trail[index];
      pen.globalAlpha = 0.1 + (0.7 * (index + 1)) / this.#trail.length; // older parts are fainter
      pen.beginPath();
      pen.moveTo(...position(before.valence, before.arousal));
      pen.lineTo(...position(mood.valence, mood.arousal));
      pen.stroke();
    });
    pen.globalAlpha = 1;
    if (!current) return;
    pen.fillStyle = color("accent");
    pen.strokeStyle = color("surface");
    pen.beginPath();
    pen.arc(...position(current.valence, current.arousal), 7, 0, 2 * Math.PI);
    pen.fill();
    pen.stroke();
  }
}
