// Shows what was found in a file: boxes around its faces, a list of them, and the emotions over time.

/** @import { Emotion, TrackedFace } from "../messages.js" */
/** @import { FileAnalysis, FileMoment } from "../types/file_analysis.js" */

import { byId, query, queryAll } from "../dom.js";
import { percent } from "../format.js";
import { describeMoments } from "./file_moments.js";

const SVG_NAMESPACE = "http://www.w3.org/2000/svg";
const CHART_WIDTH = 600; // units of the drawing, which is stretched to the space available
const CHART_HEIGHT = 120;
const LEGEND_THRESHOLD = 0.15; // of any moment's mood: emotions that reach it are named in the legend

const boxes = byId("file-preview-boxes", SVGSVGElement);
const chartFigure = byId("file-chart", HTMLElement);
const chart = query(chartFigure, "svg", SVGSVGElement);
const faceList = byId("file-faces", HTMLElement);
const emotions = queryAll(document, "#bars label", HTMLElement).map((row) => /** @type {Emotion} */ (row.dataset.emotion));

/**
 * Show an analysis.
 * @param {FileAnalysis} analysis
 */
export function showAnalysis(analysis) {
  if (analysis.kind === "image") drawBoxes(analysis);
  drawChart(analysis);
  listFaces(analysis.faces);
}

/** Remove what showAnalysis showed. */
export function clearAnalysis() {
  chartFigure.hidden = faceList.hidden = true;
  boxes.replaceChildren();
}

/**
 * @param {string} name
 * @param {Record<string, string | number>} attributes
 */
function makeShape(name, attributes, text = "") {
  const shape = document.createElementNS(SVG_NAMESPACE, name);
  for (const [attribute, value] of Object.entries(attributes)) shape.setAttribute(attribute, String(value));
  shape.textContent = text;
  return shape;
}

/**
 * Draw a box and a label for each face, in pixels of the image; CSS fits the drawing as it fits the image.
 * @param {FileAnalysis} analysis
 */
function drawBoxes({ faces, width, height }) {
  if (!width || !height) return;
  boxes.setAttribute("viewBox", `0 0 ${width} ${height}`);
  const unit = Math.max(width, height) / 100;
  const shapes = faces.map(({ box: [x, y, boxWidth, boxHeight], label, confidence, number }) => {
    const text = `${faces.length > 1 ? `${number}: ` : ""}${label ? `${label} ${percent(confidence)}` : "?"}`;
    const alignRight = x > 0.6 * width; // the label ends where the box ends, so that it stays within the image
    const position = {
      x: alignRight ? x + boxWidth : x,
      y: y > 5 * unit ? y - 1.4 * unit : y + boxHeight + 4 * unit, // above the box if there is room
      "text-anchor": alignRight ? "end" : "start",
    };
    const group = makeShape("g", { class: label ? "read" : "unread" });
    group.append(
      makeShape("rect", {
        class: "box",
        x,
        y,
        width: boxWidth,
        height: boxHeight,
        rx: 1.6 * unit,
        "stroke-width": unit / 2,
      }),
      makeShape("text", { ...position, "font-size": 3.6 * unit, "stroke-width": unit }, text),
    );
    return group;
  });
  boxes.replaceChildren(...shapes);
}

/** @param {TrackedFace[]} faces */
function listFaces(faces) {
  faceList.hidden = faces.length < 2;
  faceList.replaceChildren(
    ...faces.map(({ label, confidence, obstacle }) => {
      const item = document.createElement("li");
      item.textContent = label ? `${label} ${percent(confidence)}` : obstacle;
      return item;
    }),
  );
}

/**
 * Draw the shares of the emotions over time as stacked areas, and describe them in words.
 * @param {FileAnalysis} analysis
 */
function drawChart({ course, seconds }) {
  const moments = course.filter(
    /** @type {(moment: FileMoment) => moment is FileMoment & { at: number }} */ (moment) => moment.at !== null,
  );
  chartFigure.hidden = moments.filter((moment) => moment.label).length < 2;
  if (chartFigure.hidden || !seconds) return;
  const below = moments.map(() => 0);
  const areas = emotions.map((emotion) => {
    const x = moments.map(({ at }) => (at / seconds) * CHART_WIDTH);
    const lower = below.map((share, index) => [x[index], share]);
    moments.forEach(({ vector }, index) => {
      below[index] += vector[emotion];
    });
    const upper = below.map((share, index) => [x[index], share]);
    const points = [...upper, ...lower.reverse()].map(
      ([left, share]) => `${left.toFixed(1)},${((1 - share) * CHART_HEIGHT).toFixed(1)}`,
    );
    return makeShape("polygon", { points: points.join(" "), "data-emotion": emotion });
  });
  chart.setAttribute("viewBox", `0 0 ${CHART_WIDTH} ${CHART_HEIGHT}`);
  chart.replaceChildren(...areas);
  const description = describeMoments(moments);
  chart.setAttribute("aria-label", `Shares of the emotions over ${seconds.toFixed(1)} seconds: ${description}`);
  byId("file-duration", HTMLElement).textContent = `${seconds.toFixed(1)}\u2009s`;
  byId("file-summary", HTMLElement).textContent = description;
  byId("file-legend", HTMLElement).replaceChildren(
    ...emotions
      .filter((emotion) => moments.some((moment) => moment.vector[emotion] >= LEGEND_THRESHOLD))
      .map((emotion) => {
        const item = document.createElement("li");
        item.dataset.emotion = emotion;
        item.textContent = emotion;
        return item;
      }),
  );
}
