// The mood history as a PNG image.

/** @import { Circumplex } from "./circumplex.js" */
/** @import { SharesChart } from "./shares_chart.js" */

import { context2d } from "../dom.js";

const MARGIN = 24; // CSS pixels

/**
 * Draw both charts, their legend and the summary into one PNG image.
 * @param {{ chart: SharesChart, circumplex: Circumplex, summary: string, emotions: string[], style: CSSStyleDeclaration }} content
 * @returns {Promise<Blob>}
 */
export function renderHistoryImage({ chart, circumplex, summary, emotions, style }) {
  const density = window.devicePixelRatio || 1;
  const canvas = document.createElement("canvas");
  const [left, right] = [chart.canvas, circumplex.canvas].map(({ width, height }) => ({
    width: width / density,
    height: height / density,
  }));
  const width = left.width + right.width + 3 * MARGIN;
  const top = MARGIN + 64;
  const height = top + Math.max(left.height, right.height) + MARGIN + 48;
  canvas.width = width * density;
  canvas.height = height * density;
  const pen = context2d(canvas);
  pen.scale(density, density);
  pen.fillStyle = style.getPropertyValue("--surface");
  pen.fillRect(0, 0, width, height);
  pen.fillStyle = style.getPropertyValue("--text");
  pen.font = `700 18px ${style.fontFamily}`;
  pen.fillText("Your mood over time", MARGIN, MARGIN + 14);
  pen.font = `14px ${style.fontFamily}`;
  pen.fillText(summary, MARGIN, MARGIN + 40, width - 2 * MARGIN);
  pen.drawImage(chart.canvas, MARGIN, top, left.width, left.height);
  pen.drawImage(circumplex.canvas, left.width + 2 * MARGIN, top, right.width, right.height);
  let x = MARGIN;
  const y = height - MARGIN - 22;
  for (const emotion of emotions) {
    pen.fillStyle = style.getPropertyValue(`--${emotion}`);
    pen.fillRect(x, y - 11, 12, 12);
    pen.fillStyle = style.getPropertyValue("--text");
    pen.fillText(emotion, x + 17, y);
    x += pen.measureText(emotion).width + 34;
  }
  pen.fillText("▼ text read    ● voice read", MARGIN, y + 22);
  return new Promise((resolve, reject) => {
    canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error("the canvas could not be encoded"))), "image/png");
  });
}
