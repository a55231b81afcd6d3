// Wires the page: the connection to the server, the mirror, the voice, the words, the bars, the tables, the choice by hand.

import { io } from "../vendor/socket.io.esm.min.js";
import { showMood } from "./mood.js";
import { BrowserCamera, CameraRefused } from "./browser_camera.js";
import { openChoices } from "./choices.js";
import { askConsent, withdrawConsent } from "./consent.js";
import { openCourse } from "./course.js";
import { openFiles } from "./files.js";
import { openIndicator } from "./indicator.js";
import { openSaved } from "./saved.js";
import { openTables } from "./tables.js";
import { openVoice } from "./voice.js";
import { openWords } from "./words.js";

const NO_FACE = "No face in the picture. Sit in front of the camera, with light on you.";
const NO_STREAM = "The server's picture can't be had: maybe as many watch it as may. Trying again …";
const WITHOUT = "No camera: the drawing shows the mood that you write, say or choose.";
const WITHOUT_KEY = "without-camera"; // in this tab's session
const STOPPED = "Everything is stopped, and what was seen and heard is forgotten.";
const STREAM_PAUSE = 3000; // ms before the stream is asked for again
const GOODBYE_PAUSE = 1000; // ms: a server that restarts is back soon
const REFUSAL_PAUSE = 30_000; // ms: a full server needs somebody to leave

const element = (id) => document.getElementById(id);
const stage = element("stage");
const stream = element("stream");
const choices = [...document.querySelectorAll("#bars input")];
const release = element("release");

const socket = io({ transports: ["websocket", "polling"], auth: (show) => fetchToken().then(show) });
const browserCamera = new BrowserCamera({ video: element("video"), overlay: element("overlay"), socket });
const tellOpen = openIndicator(stopEverything);
const stopVoice = openVoice(socket, {
  askLeave: () => askConsent("microphone"),
  onSwitch: (open) => tellOpen("microphone", open),
});
const readWords = openWords(socket);
const files = openFiles(socket, {
  onMirror(name) {
    shownFile = name;
    if (name && looking()) stop();
    else showStatus();
  },
  onHeld: () => showChoice(null, true),
  onAway: () => choose(null),
});
const followCourse = openCourse(socket);
const tellChoices = openChoices(socket);
openSaved(socket);

let shownFile = null; // the name of the file that the mirror shows instead of a camera
// Whose camera the mirror shows: server or browser; without, a drawing instead of one; none, nothing has been chosen yet.
let mode = sessionStorage.getItem(WITHOUT_KEY) ? "without" : "none";
const looking = () => mode === "server" || mode === "browser";
// Until the server tells of its camera, what the page itself says of it.
let serverCamera = { state: element("start-server").hidden ? "off" : "idle", message: "", advice: "" };
let everConnected = false;
let faces = 0;
let obstacle = null; // what keeps the nearest face from being read, in words
let chosen = null; // the mood that the person chose by hand
let trouble = ""; // what last went wrong, in words; shown until it is mended

/** What shows the server that this is its own page: fetched for each connection, for it goes with the cookie of the moment. */
async function fetchToken() {
  try {
    return await (await fetch("/token")).json();
  } catch {
    return {}; // the server is away, or has had enough of us: it will say so itself
  }
}

function showStatus() {
  let text;
  if (trouble) text = trouble;
  else if (!socket.connected && everConnected) text = "The connection to the server is lost. Reconnecting …";
  else if (mode === "server" && serverCamera.state !== "live") text = `${serverCamera.message} ${serverCamera.advice}`;
  else if (looking()) text = obstacle ?? (faces ? "Reading your face." : NO_FACE);
  else if (shownFile) text = `In the mirror: ${shownFile}`;
  else if (mode === "without") text = WITHOUT;
  else text = serverCamera.state === "off" ? "No camera yet: start yours, or choose a mood." : "Start the mirror, or choose a mood.";
  const status = element("status");
  if (status.textContent !== text) status.textContent = text; // a live region speaks at every change
  stage.dataset.mode = mode;
  stage.dataset.faces = faces;
  element("stop").hidden = !looking();
  element("use-camera").hidden = mode !== "without";
  tellOpen("camera", mode === "browser");
  tellOpen("room", mode === "server");
  element("live").hidden = !(socket.connected && (mode === "browser" || (mode === "server" && serverCamera.state === "live")));
  element("start-server").hidden = serverCamera.state === "off";
  element("start-browser").classList.toggle("primary", serverCamera.state === "off");
}

async function startBrowser() {
  const answer = await askConsent("camera");
  if (answer === "no") goWithout();
  if (answer !== "yes") return;
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

/** Go without a camera: the mirror draws the mood instead, also after a reload. */
function goWithout() {
  sessionStorage.setItem(WITHOUT_KEY, "yes");
  trouble = "";
  mode = "without";
  showStatus();
  element("words").focus();
}

function useCamera() {
  sessionStorage.removeItem(WITHOUT_KEY);
  mode = "none";
  showStatus();
  focusStart();
}

function focusStart() {
  element(serverCamera.state === "off" ? "start-browser" : "start-server").focus();
}

/** Close every sense at once, and ask again before one is opened. */
function stopEverything() {
  withdrawConsent();
  stopVoice();
  files.putAway();
  if (looking()) stop();
  trouble = STOPPED;
  showStatus();
  if (mode === "none") focusStart();
  else element("words").focus();
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
element("start-without").addEventListener("click", goWithout);
element("use-camera").addEventListener("click", useCamera);
element("start-server").addEventListener("click", async () => {
  if ((await askConsent("room")) !== "yes") return;
  startServer();
  element("stop").focus();
});
element("stop").addEventListener("click", () => {
  stop();
  focusStart();
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
    setTimeout(() => socket.connect(), 1000 * error.data?.again || REFUSAL_PAUSE);
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
