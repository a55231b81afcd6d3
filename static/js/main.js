// Wires the page: the connection to the server, the mirror, the voice, the words, the bars, the tables, the choice by hand.

import { io } from "../vendor/socket.io.esm.min.js";
import { showMood } from "./mood.js";
import { BrowserCamera, CameraRefused } from "./browser_camera.js";
import { openChoices } from "./choices.js";
import { openCourse } from "./course.js";
import { openFiles } from "./files.js";
import { openSaved } from "./saved.js";
import { openTables } from "./tables.js";
import { openVoice } from "./voice.js";
import { openWords } from "./words.js";

const NO_FACE = "No face in the picture. Sit in front of the camera, with light on you.";
const NO_STREAM = "The server's picture can't be had: maybe as many watch it as may. Trying again …";
const STREAM_PAUSE = 3000; // ms before the stream is asked for again
const GOODBYE_PAUSE = 1000; // ms: a server that restarts is back soon
const REFUSAL_PAUSE = 30_000; // ms: a full server needs somebody to leave

const element = (id) => document.getElementById(id);
const stage = element("stage");
const stream = element("stream");
const choices = [...document.querySelectorAll("#bars input")];
const release = element("release");

const socket = io({ transports: ["websocket", "polling"] });
const browserCamera = new BrowserCamera({ video: element("video"), overlay: element("overlay"), socket });
openVoice(socket);
const readWords = openWords(socket);
const files = openFiles(socket, {
  onMirror(name) {
    shownFile = name;
    if (name && mode !== "none") stop();
    else showStatus();
  },
  onHeld: () => showChoice(null, true),
  onAway: () => choose(null),
});
const followCourse = openCourse(socket);
const tellChoices = openChoices(socket);
openSaved(socket);

let shownFile = null; // the name of the file that the mirror shows instead of a camera
let mode = "none"; // whose camera the mirror shows: none, server or browser
// Until the server tells of its camera, what the page itself says of it.
let serverCamera = { state: element("start-server").hidden ? "off" : "idle", message: "", advice: "" };
let everConnected = false;
let faces = 0;
let obstacle = null; // what keeps the nearest face from being read, in words
let chosen = null; // the mood that the person chose by hand
let trouble = ""; // what last went wrong, in words; shown until it is mended

function showStatus() {
  let text;
  if (trouble) text = trouble;
  else if (!socket.connected && everConnected) text = "The connection to the server is lost. Reconnecting …";
  else if (mode === "server" && serverCamera.state !== "live") text = `${serverCamera.message} ${serverCamera.advice}`;
  else if (mode !== "none") text = obstacle ?? (faces ? "Reading your face." : NO_FACE);
  else if (shownFile) text = `In the mirror: ${shownFile}`;
  else text = serverCamera.state === "off" ? "No camera yet: start yours, or choose a mood." : "Start the mirror, or choose a mood.";
  const status = element("status");
  if (status.textContent !== text) status.textContent = text; // a live region speaks at every change
  stage.dataset.mode = mode;
  stage.dataset.faces = faces;
  element("stop").hidden = mode === "none";
  element("live").hidden = !(socket.connected && (mode === "browser" || (mode === "server" && serverCamera.state === "live")));
  element("start-server").hidden = serverCamera.state === "off";
  element("start-browser").classList.toggle("primary", serverCamera.state === "off");
}

async function startBrowser() {
  files.putAway();
  trouble = "";
  try {
    await browserCamera.start();
  } catch (error) {
    if (!(error instanceof CameraRefused)) throw error;
    trouble = error.message;
    showStatus();
    return;
  }
  faces = 0;
  obstacle = null;
  mode = "browser";
  showStatus();
  element("stop").focus();
}

function startServer() {
  files.putAway();
  trouble = "";
  faces = 0;
  obstacle = null;
  mode = "server";
  openStream();
  socket.emit("watch", true);
  showStatus();
}

function openStream() {
  stream.src = `/stream.mjpg?${Date.now()}`; // a fresh address: a browser may keep the stream that ended
}

function choose(emotion) {
  files.letGo();
  showChoice(emotion, emotion !== null);
  socket.emit("choose", emotion);
}

function showChoice(emotion, held) {
  chosen = emotion;
  for (const choice of choices) choice.checked = choice.value === emotion;
  release.hidden = !held; // also while a file's mood is held
}

function stop(reason = "") {
  if (mode === "server") {
    stream.removeAttribute("src");
    socket.emit("watch", false);
  }
  browserCamera.stop();
  socket.emit("forget", "face");
  faces = 0;
  obstacle = null;
  mode = "none";
  trouble = reason;
  showStatus();
}

element("start-browser").addEventListener("click", startBrowser);
element("start-server").addEventListener("click", () => {
  startServer();
  element("stop").focus();
});
element("stop").addEventListener("click", () => {
  stop();
  element(serverCamera.state === "off" ? "start-browser" : "start-server").focus();
});
for (const choice of choices) choice.addEventListener("change", () => choose(choice.value));
release.addEventListener("click", () => {
  choices[0].focus();
  files.putAway();
  choose(null);
});

stream.addEventListener("load", () => {
  trouble = "";
  showStatus();
});
stream.addEventListener("error", () => {
  if (mode !== "server") return;
  if (socket.connected) trouble = NO_STREAM;
  showStatus();
  setTimeout(() => mode === "server" && openStream(), STREAM_PAUSE);
});

function tellFaces(count, why) {
  faces = count;
  obstacle = why;
  showStatus();
}

browserCamera.onFaces = (found) => {
  trouble = "";
  tellFaces(found.length, found[0]?.obstacle ?? null);
};
browserCamera.onTrouble = (words) => {
  trouble = words;
  tellFaces(0, null);
};
browserCamera.onEnd = (words) => stop(words);

socket.on("connect", () => {
  everConnected = true;
  trouble = "";
  // The server keeps nothing of a connection that ended: tell it again what this page is at.
  if (mode === "server") startServer();
  chosen ??= choices.find((choice) => choice.checked)?.value ?? null; // a browser may bring a choice back with the page
  if (chosen) choose(chosen);
  readWords();
  tellChoices();
  showStatus();
});
// The library reconnects by itself after a failure, but not when the server said goodbye or refused.
socket.on("disconnect", () => {
  trouble = "";
  if (!socket.active) setTimeout(() => socket.connect(), GOODBYE_PAUSE);
  showStatus();
});
socket.on("connect_error", (error) => {
  if (!socket.active) {
    trouble = error.message;
    setTimeout(() => socket.connect(), REFUSAL_PAUSE);
  }
  showStatus();
});
socket.on("camera", (status) => {
  serverCamera = status;
  if (mode === "server" && status.state === "off") stop("The server found no camera. Use this browser's camera, or choose a mood.");
  showStatus();
});
socket.on("faces", (found) => mode === "server" && tellFaces(found.count, found.obstacle));
socket.on("mood", (mood) => {
  showMood(mood);
  followCourse(mood);
});
socket.on("low", (low) => (element("help").hidden = !low));
socket.on("recommendations", openTables(socket));

showStatus();
