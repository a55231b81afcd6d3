// A file instead of a camera: dropped, picked or pasted, read by the server while its progress shows, and shown in the mirror.

import { feeling, nameChoice } from "./mood.js";
import { tell } from "./tell.js";

const MAX_BYTES = 100_000_000; // as the server takes
const PROGRESS_TYPE = "application/x-ndjson";
const NOTHING = {
  image: "No face in this picture that can be read. A larger or sharper one may do.",
  video: "No face and no voice in this clip that can be read.",
  audio: "Nobody speaks in this recording.",
  text: "There is nothing to read in this file.",
};
const SENTENCES = { image: "The face looks", video: "The clip is", audio: "The voice sounds", text: "The words sound" };
const SVG = "http://www.w3.org/2000/svg";
const CHART_WIDTH = 600; // units of its own; it is stretched to the room there is
const CHART_HEIGHT = 120;
const LEGEND_SHARE = 0.15; // of some moment: from there on an emotion is named beside the chart

const element = (id) => document.getElementById(id);
const input = element("file-input");
const pickButton = element("file-pick");
const cancelButton = element("file-cancel");
const awayButton = element("file-away");
const progress = element("file-progress");
const told = element("file-told");
const invitation = told.textContent;
const shown = element("shown");
const picture = element("shown-picture");
const clip = element("shown-clip");
const boxes = element("shown-boxes");
const course = element("file-course");
const faceList = element("file-faces");
const emotions = [...document.querySelectorAll("#bars label")].map((row) => row.dataset.emotion);

/**
 * Let the visitor show files over this connection. `onMirror` is called with the name of one that takes the mirror, and with
 * null when the mirror is free again; `onHeld` when a file's mood is the visitor's, `onAway` when that is over. Returns `putAway`, and `letGo` for when another mood was chosen.
 */
export function openFiles(socket, { onMirror, onHeld, onAway }) {
  let request = null;
  let address = null; // of the file's picture in this browser
  let held = null; // the file's mood, shares by emotion, while it is the visitor's

  function letGo() {
    held = null;
    nameChoice(false);
  }

  function putAway() {
    request?.abort();
    shown.hidden = course.hidden = faceList.hidden = awayButton.hidden = true;
    boxes.replaceChildren();
    picture.removeAttribute("src");
    clip.removeAttribute("src");
    clip.load();
    if (address) URL.revokeObjectURL(address);
    address = null;
    tell(told, invitation);
    onMirror(null);
    if (held) {
      letGo();
      onAway();
    }
  }

  function show(file) {
    const still = file.type.startsWith("image/");
    if (!still && !/^(video|audio)\//.test(file.type)) return;
    address = URL.createObjectURL(file);
    picture.hidden = !still;
    clip.hidden = still;
    (still ? picture : clip).src = address;
    shown.hidden = false;
  }

  function read(file) {
    putAway();
    awayButton.hidden = true;
    if (file.size > MAX_BYTES) {
      tell(told, `This file has ${Math.round(file.size / 1e6)} MB, ${MAX_BYTES / 1e6} MB can be read. Make it smaller, or cut it.`, { aloud: true });
      return;
    }
    onMirror(file.name);
    show(file);
    request = ask(file, {
      onProgress(words, share) {
        busy(true);
        tell(told, words);
        if (share === null) progress.removeAttribute("value");
        else progress.value = share;
      },
      onResult: (analysis) => finish(analysis),
      onTrouble(words) {
        putAway();
        tell(told, words, { aloud: true });
      },
      onEnd() {
        request = null;
        busy(false);
      },
    });
  }

  function finish(analysis) {
    awayButton.hidden = false;
    if (analysis.kind === "image") drawBoxes(analysis);
    drawCourse(analysis.course.filter((moment) => moment.at !== null), analysis.seconds);
    listFaces(analysis.faces);
    if (analysis.label === null) {
      tell(told, NOTHING[analysis.kind], { aloud: true });
      return;
    }
    const share = analysis.kind === "video" ? ` for ${percent(analysis.share)} of what could be read in it` : "";
    tell(told, `${SENTENCES[analysis.kind]} ${feeling(analysis.label)}${share}. The mirror keeps this mood until you put the file away.`, { aloud: true });
    held = analysis.vector;
    nameChoice(true);
    socket.emit("show", held);
    onHeld();
  }

  function busy(reading) {
    progress.hidden = cancelButton.hidden = !reading;
    pickButton.hidden = reading;
  }

  pickButton.addEventListener("click", () => input.click());
  input.addEventListener("change", () => {
    if (input.files.length) read(input.files[0]);
    input.value = ""; // so that the same file can be picked again
  });
  cancelButton.addEventListener("click", () => {
    putAway();
    tell(told, "Cancelled. Nothing of the file is kept.", { aloud: true });
    pickButton.focus();
  });
  awayButton.addEventListener("click", () => {
    putAway();
    pickButton.focus();
  });
  for (const view of [picture, clip]) {
    view.addEventListener("error", () => {
      if (address) shown.hidden = true; // a kind of file that this browser can't show; the server may read it all the same
    });
  }
  document.addEventListener("paste", (event) => {
    if (!event.clipboardData?.files.length) return;
    event.preventDefault();
    read(event.clipboardData.files[0]);
  });
  document.addEventListener("dragover", (event) => {
    if (!event.dataTransfer.types.includes("Files")) return;
    event.preventDefault();
    document.body.dataset.dropping = "";
  });
  document.addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) delete document.body.dataset.dropping;
  });
  document.addEventListener("drop", (event) => {
    delete document.body.dataset.dropping;
    if (!event.dataTransfer.files.length) return;
    event.preventDefault();
    read(event.dataTransfer.files[0]);
  });
  // The server keeps nothing of a connection that ended.
  socket.on("connect", () => held && socket.emit("show", held));
  return { putAway, letGo };
}

/** Send a file and follow how it is read. Returns the request, to be aborted. */
function ask(file, { onProgress, onResult, onTrouble, onEnd }) {
  const request = new XMLHttpRequest();
  let taken = 0; // characters of the answer that were read
  let answered = false;

  function takeLines() {
    if (request.status !== 200) return;
    let end;
    while ((end = request.responseText.indexOf("\n", taken)) >= 0) {
      const line = JSON.parse(request.responseText.slice(taken, end));
      taken = end + 1;
      if ("progress" in line) onProgress("Reading …", line.progress);
      answered ||= "analysis" in line || "problem" in line;
      if (line.analysis) onResult(line.analysis);
      if (line.problem) onTrouble(sentence(line.problem.detail));
    }
  }

  request.open("POST", "/api/analyze/file");
  request.setRequestHeader("Accept", PROGRESS_TYPE);
  request.setRequestHeader("Content-Type", "application/octet-stream");
  request.upload.addEventListener("progress", ({ loaded, total }) => onProgress("Sending …", loaded / total));
  request.upload.addEventListener("load", () => onProgress("Reading …", null));
  request.addEventListener("progress", takeLines);
  request.addEventListener("load", () => {
    takeLines();
    if (answered) return;
    const problem = request.getResponseHeader("Content-Type")?.includes("problem+json") ? JSON.parse(request.responseText) : null;
    onTrouble(problem ? sentence(problem.detail) : "The server could not finish reading this file. Try it again.");
  });
  request.addEventListener("error", () => onTrouble("The connection was lost while the file was read. Try it again."));
  request.addEventListener("loadend", onEnd);
  onProgress("Sending …", 0);
  request.send(file);
  return request;
}

const sentence = (words) => `${words[0].toUpperCase()}${words.slice(1)}${/[.!?…]$/.test(words) ? "" : "."}`;

const percent = (share) => `${Math.round(share * 100)}\u2009%`;

function makeShape(name, attributes, text = "") {
  const shape = document.createElementNS(SVG, name);
  for (const [attribute, value] of Object.entries(attributes)) shape.setAttribute(attribute, value);
  shape.textContent = text;
  return shape;
}

/** Draw a box and a name for each face, in the picture's own pixels: the drawing is fitted as the picture is. */
function drawBoxes({ faces, width, height }) {
  boxes.setAttribute("viewBox", `0 0 ${width} ${height}`);
  const unit = Math.max(width, height) / 100;
  const shapes = faces.flatMap(({ box: [x, y, boxWidth, boxHeight], label, confidence, number }) => {
    const words = `${faces.length > 1 ? `${number}: ` : ""}${label ? `${label} ${percent(confidence)}` : "?"}`;
    const onTheRight = x > 0.6 * width; // there the words end with the box, so that they stay in the picture
    const place = {
      x: onTheRight ? x + boxWidth : x,
      y: y > 5 * unit ? y - 1.4 * unit : y + boxHeight + 4 * unit, // above the box where there is room
      "text-anchor": onTheRight ? "end" : "start",
    };
    const group = makeShape("g", { class: label ? "read" : "unread" });
    group.append(
      makeShape("rect", { class: "box", x, y, width: boxWidth, height: boxHeight, rx: 1.6 * unit, "stroke-width": unit / 2 }),
      makeShape("text", { ...place, "font-size": 3.6 * unit, "stroke-width": unit }, words),
    );
    return group;
  });
  boxes.replaceChildren(...shapes);
}

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

/** Draw the shares of the emotions over time, one upon the other, and say the same in words. */
function drawCourse(moments, seconds) {
  course.hidden = moments.filter((moment) => moment.label).length < 2;
  if (course.hidden) return;
  const x = (moment) => (moment.at / seconds) * CHART_WIDTH;
  const below = moments.map(() => 0);
  const areas = emotions.map((emotion) => {
    const lower = moments.map((moment, index) => [x(moment), below[index]]);
    const upper = moments.map((moment, index) => [x(moment), (below[index] += moment.vector[emotion])]);
    const points = [...upper, ...lower.reverse()].map(([left, share]) => `${left.toFixed(1)},${((1 - share) * CHART_HEIGHT).toFixed(1)}`);
    return makeShape("polygon", { points: points.join(" "), "data-emotion": emotion });
  });
  const chart = course.querySelector("svg");
  chart.setAttribute("viewBox", `0 0 ${CHART_WIDTH} ${CHART_HEIGHT}`);
  chart.replaceChildren(...areas);
  const words = inWords(moments);
  chart.setAttribute("aria-label", `Shares of the emotions over ${seconds.toFixed(1)} seconds: ${words}`);
  element("file-end").textContent = `${seconds.toFixed(1)}\u2009s`;
  element("file-words").textContent = words;
  element("file-legend").replaceChildren(
    ...emotions
      .filter((emotion) => moments.some((moment) => moment.vector[emotion] >= LEGEND_SHARE))
      .map((emotion) => {
        const item = document.createElement("li");
        item.dataset.emotion = emotion;
        item.textContent = emotion;
        return item;
      }),
  );
}

/** Which emotion leads from when to when. */
function inWords(moments) {
  const runs = [];
  for (const { at, label } of moments) {
    const last = runs.at(-1);
    if (last?.label === label) last.to = at;
    else {
      if (last) last.to = at;
      runs.push({ label, from: at, to: at });
    }
  }
  return runs.map(({ label, from, to }) => `${label ?? "nothing read"} ${from.toFixed(1)}–${to.toFixed(1)}\u2009s`).join(", ");
}
