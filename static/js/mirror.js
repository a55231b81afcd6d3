// The mirror: the picture of this browser's or the server's camera, or a drawn face instead, with a status line below.

/** @import { CameraPayload, FacesPayload } from "./messages.js" */
/** @import { ServerSocket } from "./types/socket.js" */
/**
 * "browser" and "server" name the camera that is open; "drawing" is the choice of no camera; "start" offers all of these.
 * @typedef {"start" | "browser" | "server" | "drawing"} MirrorMode
 */

import { askConsent } from "./consent.js";
import { byId } from "./dom.js";
import { BrowserCamera, CameraUnavailableError } from "./inputs/browser_camera.js";

const NO_FACE = "No face in the picture. Sit in front of the camera, with light on you.";
const STREAM_UNAVAILABLE = "The camera stream is not available: it may be full. Trying again in 3 s …";
const NO_SERVER_CAMERA = "The server has no camera. Use this browser's camera, or choose a mood yourself.";
const DRAWING = "No camera: the drawing shows the mood that you write, say or choose.";
const STREAM_RETRY_PAUSE_MS = 3000;
const DRAWING_KEY = "without-camera"; // in this tab's session storage

const stage = byId("stage", HTMLElement);
const stream = byId("stream", HTMLImageElement);
const status = byId("status", HTMLElement);
const live = byId("live", HTMLElement);
const textBox = byId("text-input", HTMLTextAreaElement);
const startServerButton = byId("start-server", HTMLButtonElement);
const startBrowserButton = byId("start-browser", HTMLButtonElement);
const noCameraButton = byId("start-without", HTMLButtonElement);
const useCameraButton = byId("use-camera", HTMLButtonElement);
const stopButton = byId("stop", HTMLButtonElement);

export class Mirror {
  #socket;
  #removeFile;
  #showOpen;
  #browserCamera;
  /** @type {MirrorMode} */
  #mode = sessionStorage.getItem(DRAWING_KEY) ? "drawing" : "start";
  /** Until the server sends its camera's state, what the page itself contains. @type {CameraPayload} */
  #serverCamera = { state: startServerButton.hidden ? "off" : "idle", message: "", advice: "" };
  /** @type {string | null} */
  #fileName = null; // of the file that is shown instead of a camera
  #wasConnected = false;
  #faceCount = 0;
  /** @type {string | null} */
  #obstacle = null; // why the nearest face cannot be read
  #error = ""; // the last error, shown until it is resolved

  /**
   * `removeFile` removes a shown file; `showOpen` receives whether a camera is open.
   * @param {ServerSocket} socket
   * @param {{ removeFile: () => void, showOpen: (camera: "camera" | "room", open: boolean) => void }} options
   */
  constructor(socket, { removeFile, showOpen }) {
    this.#socket = socket;
    this.#removeFile = removeFile;
    this.#showOpen = showOpen;
    this.#browserCamera = new BrowserCamera({
      video: byId("video", HTMLVideoElement),
      overlay: byId("overlay", HTMLCanvasElement),
      socket,
    });
    this.#addButtonListeners();
    this.#addCameraListeners();
    this.#addSocketListeners();
    this.#render();
  }

  /** Whether a camera is open. */
  get isCameraOpen() {
    return this.#mode === "server" || this.#mode === "browser";
  }

  /**
   * Show a file's name instead of a camera, and close the camera; null ends that.
   * @param {string | null} name
   */
  showFile(name) {
    this.#fileName = name;
    if (name && this.isCameraOpen) this.stop();
    else this.#render();
  }

  /** Show a message until the next change of the camera or the connection. @param {string} message */
  showMessage(message) {
    this.#error = message;
    this.#render();
  }

  /** Move the keyboard focus to where the visitor can go on without an open camera. */
  focus() {
    if (this.#mode === "start") this.#focusStartButton();
    else textBox.focus();
  }

  /** Update the page after a connection was made: the server stores nothing of a connection that ended. */
  resume() {
    this.#wasConnected = true;
    this.#error = "";
    if (this.#mode === "server") this.#startServerCamera();
    this.#render();
  }

  /** Close the camera; the reason is shown. */
  stop(reason = "") {
    if (this.#mode === "server") {
      stream.removeAttribute("src");
      this.#socket.emit("watch", false);
    }
    this.#browserCamera.stop();
    this.#socket.emit("forget", "face");
    this.#setFaces(0, null);
    this.#mode = "start";
    this.#error = reason;
    this.#render();
  }

  #addButtonListeners() {
    startBrowserButton.addEventListener("click", () => this.#startBrowserCamera());
    noCameraButton.addEventListener("click", () => this.#showDrawing());
    useCameraButton.addEventListener("click", () => {
      sessionStorage.removeItem(DRAWING_KEY);
      this.#mode = "start";
      this.#render();
      this.#focusStartButton();
    });
    startServerButton.addEventListener("click", async () => {
      if ((await askConsent("room")) !== "yes") return;
      this.#startServerCamera();
      stopButton.focus();
    });
    stopButton.addEventListener("click", () => {
      this.stop();
      this.#focusStartButton();
    });
  }

  #addCameraListeners() {
    this.#browserCamera.onFaces = (faces) => {
      this.#error = "";
      this.#setFaces(faces.length, faces[0]?.obstacle ?? null);
      this.#render();
    };
    this.#browserCamera.onError = (message) => {
      this.#error = message;
      this.#setFaces(0, null);
      this.#render();
    };
    this.#browserCamera.onEnd = (message) => this.stop(message);
    stream.addEventListener("load", () => {
      this.#error = "";
      this.#render();
    });
    stream.addEventListener("error", () => {
      if (this.#mode !== "server") return;
      if (this.#socket.connected) this.#error = STREAM_UNAVAILABLE;
      this.#render();
      setTimeout(() => {
        if (this.#mode === "server") loadStream();
      }, STREAM_RETRY_PAUSE_MS);
    });
  }

  #addSocketListeners() {
    this.#socket.on("disconnect", () => {
      this.#error = "";
      this.#render();
    });
    this.#socket.on("connect_error", (error) => {
      if (!this.#socket.active) this.#error = error.message; // the server refused the connection, and says why
      this.#render();
    });
    this.#socket.on("camera", (camera) => {
      this.#serverCamera = camera;
      if (this.#mode === "server" && camera.state === "off") this.stop(NO_SERVER_CAMERA);
      this.#render();
    });
    this.#socket.on("faces", ({ count, obstacle }) => {
      if (this.#mode !== "server") return;
      this.#setFaces(count, obstacle);
      this.#render();
    });
  }

  async #startBrowserCamera() {
    const answer = await askConsent("camera");
    if (answer === "no") this.#showDrawing();
    if (answer !== "yes") return;
    this.#removeFile();
    this.#error = "";
    try {
      await this.#browserCamera.start();
    } catch (error) {
      if (!(error instanceof CameraUnavailableError)) throw error;
      this.showMessage(error.message);
      return;
    }
    this.#setFaces(0, null);
    this.#mode = "browser";
    this.#render();
    stopButton.focus();
  }

  #startServerCamera() {
    this.#removeFile();
    this.#error = "";
    this.#setFaces(0, null);
    this.#mode = "server";
    loadStream();
    this.#socket.emit("watch", true);
    this.#render();
  }

  /** Go on without a camera: a drawn face shows the mood, also after a reload. */
  #showDrawing() {
    sessionStorage.setItem(DRAWING_KEY, "yes");
    this.#error = "";
    this.#mode = "drawing";
    this.#render();
    textBox.focus();
  }

  #focusStartButton() {
    (this.#serverCamera.state === "off" ? startBrowserButton : startServerButton).focus();
  }

  /**
   * @param {FacesPayload["count"]} count
   * @param {FacesPayload["obstacle"]} obstacle
   */
  #setFaces(count, obstacle) {
    this.#faceCount = count;
    this.#obstacle = obstacle;
  }

  #statusText() {
    if (this.#error) return this.#error;
    if (!this.#socket.connected && this.#wasConnected) return "The connection to the server is lost. Reconnecting …";
    if (this.#mode === "server" && this.#serverCamera.state !== "live") {
      return `${this.#serverCamera.message} ${this.#serverCamera.advice}`;
    }
    if (this.isCameraOpen) return this.#obstacle ?? (this.#faceCount ? "Reading your face." : NO_FACE);
    if (this.#fileName) return `In the mirror: ${this.#fileName}`;
    if (this.#mode === "drawing") return DRAWING;
    return this.#serverCamera.state === "off"
      ? "No camera yet: start yours, or choose a mood yourself."
      : "Start the mirror, or choose a mood yourself.";
  }

  #render() {
    const text = this.#statusText();
    if (status.textContent !== text) status.textContent = text; // a live region is read out at every change
    const hasServerCamera = this.#serverCamera.state !== "off";
    const isLive = this.#mode === "browser" || (this.#mode === "server" && this.#serverCamera.state === "live");
    stage.dataset.mode = this.#mode;
    stage.dataset.faces = String(this.#faceCount);
    stopButton.hidden = !this.isCameraOpen;
    useCameraButton.hidden = this.#mode !== "drawing";
    live.hidden = !(this.#socket.connected && isLive);
    startServerButton.hidden = !hasServerCamera;
    startBrowserButton.classList.toggle("primary", !hasServerCamera);
    this.#showOpen("camera", this.#mode === "browser");
    this.#showOpen("room", this.#mode === "server");
  }
}

function loadStream() {
  stream.src = `/stream.mjpg?${Date.now()}`; // a new address, as a browser may show the stream that ended from its cache
}
