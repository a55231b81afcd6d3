// Where the mood lies between unpleasant and pleasant, calm and excited, and the way it came.

const SECONDS = 60; // of the trail
const MARGIN = 16; // pixels of the page about the circle
// Names that would run into each other stand beside their place instead of above it.
const BESIDE = { angry: "end", fear: "start" };

export class Circumplex {
  seconds = SECONDS;
  canvas;

  #places; // of the seven emotions: {name: [valence, arousal]}
  #trail = [];

  constructor(canvas) {
    this.canvas = canvas;
    this.#places = Object.entries(JSON.parse(canvas.dataset.places));
  }

  /** Draw moods, oldest first, the last of them as the present one. */
  draw(moods) {
    this.#trail = moods;
    this.#paint(moods.at(-1));
  }

  /** Move the point to a mood, or take it away for null, between two drawings of the trail. */
  move(mood) {
    this.#paint(mood);
  }

  #paint(present) {
    const density = window.devicePixelRatio || 1;
    const side = this.canvas.clientWidth;
    if (side <= 2 * MARGIN) return; // it has no place on the page yet; when it has, it is drawn again
    if (this.canvas.width !== Math.round(side * density)) this.canvas.width = this.canvas.height = Math.round(side * density);
    const pen = this.canvas.getContext("2d");
    const style = getComputedStyle(this.canvas);
    const color = (name) => style.getPropertyValue(`--${name}`);
    const radius = side / 2 - MARGIN;
    const at = (valence, arousal) => [side / 2 + valence * radius, side / 2 - arousal * radius];
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
    for (const [emotion, [valence, arousal]] of this.#places) {
      const [x, y] = at(valence, arousal);
      pen.fillStyle = color(emotion);
      pen.beginPath();
      pen.arc(x, y, 4, 0, 2 * Math.PI);
      pen.fill();
      pen.fillStyle = color("muted");
      const width = pen.measureText(emotion).width;
      const beside = BESIDE[emotion];
      const left = { end: x - width - 7, start: x + 7 }[beside] ?? x - width / 2;
      pen.fillText(emotion, Math.min(Math.max(left, 1), side - width - 1), beside ? y + 4 : y - 8);
    }

    pen.strokeStyle = color("accent");
    pen.lineWidth = 2;
    this.#trail.slice(1).forEach((mood, index) => {
      const before = this.#trail[index];
      pen.globalAlpha = 0.1 + (0.7 * (index + 1)) / this.#trail.length; // older is fainter
      pen.beginPath();
      pen.moveTo(...at(before.valence, before.arousal));
      pen.lineTo(...at(mood.valence, mood.arousal));
      pen.stroke();
    });
    pen.globalAlpha = 1;
    if (!present) return;
    pen.fillStyle = color("accent");
    pen.strokeStyle = color("surface");
    pen.beginPath();
    pen.arc(...at(present.valence, present.arousal), 7, 0, 2 * Math.PI);
    pen.fill();
    pen.stroke();
  }
}
