// The visitor's own camera: sends frames to the server one at a time, and draws boxes and labels over the local video.

/** @import { TrackedFace } from "../messages.js" */
/** @import { ServerSocket } from "../types/socket.js" */

import { context2d } from "../dom.js";
import { percent } from "../format.js";

const FRAME_WIDTH = 320; // pixels of a sent frame: enough for a face at arm's length, about 10 kB
const FRAME_HEIGHT = 240;
const JPEG_QUALITY = 0.8;
const MIN_FRAME_PAUSE_MS = 100; // ten frames a second are enough for a smooth mood
const ANSWER_TIMEOUT_MS = 5000; // for an acknowledgement, before another frame is sent
/** @type {Record<string, string>} */
const ERROR_MESSAGES = {
  NotAllowedError: "Camera access was denied. Allow it in the address bar, then start again, or choose a mood yourself.",
  NotFoundError: "This device has no camera. Connect one, or choose a mood yourself.",
  NotReadableError: "The camera is in use. Close other programs that use it, then start again.",
};

/** The camera cannot be opened; the message, written for the visitor, says why, and is empty if stop() was called meanwhile. */
export class CameraUnavailableError extends Error {}

export class BrowserCamera {
  /** Receives the faces of the last frame, nearest first. @type {(faces: TrackedFace[]) => void} */
  onFaces = () => {};
  /** Receives the reason, in words, if frames cannot be read; sending continues. @type {(message: string) => void} */
  onError = () => {};
  /** Receives the reason, in words, if the camera was disconnected. @type {(message: string) => void} */
  onEnd = () => {};

  #video;
  #overlay;
  #socket;
  /** @type {MediaStream | null} */
  #media = null;
  #pauseMs = MIN_FRAME_PAUSE_MS; // from one frame to the next
  #run = 0; // counts starts: results of earlier starts are dropped
  #canvas = document.createElement("canvas");

  /** @param {{ video: HTMLVideoElement, overlay: HTMLCanvasElement, socket: ServerSocket }} options */
  constructor({ video, overlay, socket }) {
    this.#video = video;
    this.#overlay = overlay;
    this.#socket = socket;
  }

  /** Open the camera and start sending frames. Throws CameraUnavailableError. */
  async start() {
    this.stop();
    const run = this.#run;
    if (!navigator.mediaDevices) {
      throw new CameraUnavailableError(
        "Browsers open a camera only on https:// pages and localhost. Open the page there, or choose a mood yourself.",
      );
    }
    let media;
    try {
      media = await navigator.mediaDevices.getUserMedia({
        video: { width: { ideal: 640 }, height: { ideal: 480 }, facingMode: "user" },
      });
    } catch (error) {
      const name = error instanceof Error ? error.name : String(error);
      throw new CameraUnavailableError(
        ERROR_MESSAGES[name] ?? `The camera cannot be opened (${name}). Choose a mood yourself, or try again.`,
      );
    }
    if (run !== this.#run) {
      for (const track of media.getTracks()) track.stop();
      throw new CameraUnavailableError("");
    }
    this.#media = media;
    media.getVideoTracks()[0].addEventListener("ended", () => {
      if (this.#media === media) this.onEnd("Your camera was disconnected. Connect it, then start again.");
    });
    this.#video.srcObject = media;
    await this.#video.play();
    this.#sendFrames(run);
  }

  /** Close the camera; its light goes out. */
  stop() {
    this.#run += 1;
    for (const track of this.#media?.getTracks() ?? []) track.stop();
    this.#media = null;
    this.#video.srcObject = null;
    this.#draw([], 1, 1);
  }

  /** @param {number} run */
  async #sendFrames(run) {
    while (run === this.#run) {
      const startedAt = performance.now();
      this.#pauseMs = MIN_FRAME_PAUSE_MS;
      if (this.#socket.connected && !document.hidden && this.#video.videoWidth) {
        const frame = await this.#captureFrame();
        if (frame && run === this.#run) await this.#sendFrame(frame, run);
      }
      await new Promise((resolve) => setTimeout(resolve, Math.max(this.#pauseMs - (performance.now() - startedAt), 0)));
    }
  }

  /**
   * @param {ArrayBuffer} frame
   * @param {number} run
   */
  async #sendFrame(frame, run) {
    let answer;
    try {
      answer = await this.#socket.timeout(ANSWER_TIMEOUT_MS).emitWithAck("frame", frame);
    } catch {
      if (run === this.#run && this.#socket.connected) this.onError("The server is slow to answer. Still trying …");
      return;
    }
    if (run !== this.#run) return;
    this.#pauseMs = Math.max(MIN_FRAME_PAUSE_MS, 1000 * (answer.pause ?? 0)); // a busy server asks for fewer frames
    if (answer.error !== undefined) {
      this.#draw([], 1, 1);
      this.onError(answer.error);
      return;
    }
    this.#draw(answer.faces, answer.width, answer.height);
    this.onFaces(answer.faces);
  }

  async #captureFrame() {
    const { videoWidth, videoHeight } = this.#video;
    const scale = Math.min(FRAME_WIDTH / videoWidth, FRAME_HEIGHT / videoHeight, 1);
    this.#canvas.width = Math.round(videoWidth * scale);
    this.#canvas.height = Math.round(videoHeight * scale);
    context2d(this.#canvas).drawImage(this.#video, 0, 0, this.#canvas.width, this.#canvas.height);
    /** @type {Blob | null} */
    const blob = await new Promise((resolve) => this.#canvas.toBlob(resolve, "image/jpeg", JPEG_QUALITY));
    return blob?.arrayBuffer();
  }

  /**
   * Draw face boxes, given in pixels of a frame of width × height. Boxes are mirrored as the video is; labels are not.
   * @param {TrackedFace[]} faces
   * @param {number} width
   * @param {number} height
   */
  #draw(faces, width, height) {
    const overlay = this.#overlay;
    const density = window.devicePixelRatio || 1;
    const { clientWidth, clientHeight } = overlay;
    overlay.width = clientWidth * density;
    overlay.height = clientHeight * density;
    const scale = Math.max(clientWidth / width, clientHeight / height); // as object-fit: cover does
    const left = (clientWidth - width * scale) / 2;
    const top = (clientHeight - height * scale) / 2;
    const pen = context2d(overlay);
    const style = getComputedStyle(overlay);
    pen.scale(density, density);
    pen.lineWidth = 3;
    pen.font = `600 15px ${style.fontFamily}`;
    pen.textBaseline = "middle";
    for (const { box, label, confidence } of faces) {
      const [boxX, boxY, boxWidth, boxHeight] = box.map((pixels) => pixels * scale);
      const x = left + width * scale - boxX - boxWidth;
      const y = top + boxY;
      const text = label ? `${label} ${percent(confidence)}` : "?"; // the status line shows the reason
      const tagWidth = pen.measureText(text).width + 20;
      const tagY = y >= 32 ? y - 32 : y + boxHeight + 6;
      pen.strokeStyle = pen.fillStyle = style.getPropertyValue(label ? "--accent" : "--unread");
      pen.beginPath();
      pen.roundRect(x, y, boxWidth, boxHeight, 12);
      pen.stroke();
      pen.beginPath();
      pen.roundRect(x, tagY, tagWidth, 26, 9);
      pen.fill();
      pen.fillStyle = style.getPropertyValue("--on-accent");
      pen.fillText(text, x + 10, tagY + 14);
    }
  }
}
