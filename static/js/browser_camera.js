// The visitor's own camera: frames go to the server one at a time, boxes and labels are drawn over the local video.

const FRAME_WIDTH = 320; // pixels of what is sent: enough for a face at arm's length, about 10 kB
const FRAME_HEIGHT = 240;
const JPEG_QUALITY = 0.8;
const LEAST_PAUSE = 100; // ms between two frames: ten a second are as smooth as a mood needs
const ANSWER_TIMEOUT = 5000; // ms to wait for an acknowledgement before another frame is tried
const REASONS = {
  NotAllowedError: "The camera was refused. Allow it beside the address, then start again; or choose a mood by hand.",
  NotFoundError: "This device has no camera. Connect one, or choose a mood by hand.",
  NotReadableError: "The camera is in use. Close other programs that use it, then start again.",
};

export class CameraRefused extends Error {}

export class BrowserCamera {
  onFaces = () => {}; // the faces of the last frame, nearest first
  onTrouble = () => {}; // frames can't be read, in words; they go on being sent
  onEnd = () => {}; // the camera went away, in words

  #video;
  #overlay;
  #socket;
  #media = null;
  #pause = LEAST_PAUSE; // ms from one frame to the next
  #run = 0; // counts starts: what a former start still awaits is dropped
  #canvas = document.createElement("canvas");

  constructor({ video, overlay, socket }) {
    this.#video = video;
    this.#overlay = overlay;
    this.#socket = socket;
  }

  /** Ask for the camera and begin to send frames. Throws CameraRefused, whose message is for the visitor. */
  async start() {
    this.stop();
    const run = this.#run;
    if (!navigator.mediaDevices) {
      throw new CameraRefused("Browsers open a camera only for https:// and localhost. Open the page there, or choose a mood by hand.");
    }
    let media;
    try {
      media = await navigator.mediaDevices.getUserMedia({
        video: { width: { ideal: 640 }, height: { ideal: 480 }, facingMode: "user" },
      });
    } catch (error) {
      throw new CameraRefused(REASONS[error.name] ?? `The camera can't be opened (${error.name}). Choose a mood by hand, or try again.`);
    }
    if (run !== this.#run) {
      for (const track of media.getTracks()) track.stop();
      throw new CameraRefused("");
    }
    this.#media = media;
    media.getVideoTracks()[0].addEventListener("ended", () => {
      if (this.#media === media) this.onEnd("Your camera went away. Connect it, then start again.");
    });
    this.#video.srcObject = media;
    await this.#video.play();
    this.#send(run);
  }

  /** Close the camera; its light goes out. */
  stop() {
    this.#run += 1;
    for (const track of this.#media?.getTracks() ?? []) track.stop();
    this.#media = null;
    this.#video.srcObject = null;
    this.#draw([], 1, 1);
  }

  async #send(run) {
    while (run === this.#run) {
      const began = performance.now();
      this.#pause = LEAST_PAUSE;
      if (this.#socket.connected && !document.hidden && this.#video.videoWidth) {
        const frame = await this.#grab();
        if (frame && run === this.#run) await this.#ask(frame, run);
      }
      await new Promise((resolve) => setTimeout(resolve, Math.max(this.#pause - (performance.now() - began), 0)));
    }
  }

  async #ask(frame, run) {
    let answer;
    try {
      answer = await this.#socket.timeout(ANSWER_TIMEOUT).emitWithAck("frame", frame);
    } catch {
      if (run === this.#run && this.#socket.connected) this.onTrouble("The server is slow to answer. Still trying …");
      return;
    }
    if (run !== this.#run) return;
    this.#pause = Math.max(LEAST_PAUSE, 1000 * (answer.pause ?? 0)); // a busy server asks for fewer frames
    if (answer.error) {
      this.#draw([], 1, 1);
      this.onTrouble(answer.error);
      return;
    }
    this.#draw(answer.faces, answer.width, answer.height);
    this.onFaces(answer.faces);
  }

  async #grab() {
    const { videoWidth, videoHeight } = this.#video;
    const scale = Math.min(FRAME_WIDTH / videoWidth, FRAME_HEIGHT / videoHeight, 1);
    this.#canvas.width = Math.round(videoWidth * scale);
    this.#canvas.height = Math.round(videoHeight * scale);
    this.#canvas.getContext("2d").drawImage(this.#video, 0, 0, this.#canvas.width, this.#canvas.height);
    const blob = await new Promise((resolve) => this.#canvas.toBlob(resolve, "image/jpeg", JPEG_QUALITY));
    return blob?.arrayBuffer();
  }

  /** Draw boxes given in pixels of a frame of width × height. The video is mirrored, so the boxes are; words are not. */
  #draw(faces, width, height) {
    const overlay = this.#overlay;
    const density = window.devicePixelRatio || 1;
    const { clientWidth, clientHeight } = overlay;
    overlay.width = clientWidth * density;
    overlay.height = clientHeight * density;
    const scale = Math.max(clientWidth / width, clientHeight / height); // as object-fit: cover does
    const left = (clientWidth - width * scale) / 2;
    const top = (clientHeight - height * scale) / 2;
    const pen = overlay.getContext("2d");
    const style = getComputedStyle(overlay);
    pen.scale(density, density);
    pen.lineWidth = 3;
    pen.font = `600 15px ${style.fontFamily}`;
    pen.textBaseline = "middle";
    for (const { box, label, confidence } of faces) {
      const [boxX, boxY, boxWidth, boxHeight] = box.map((pixels) => pixels * scale);
      const x = left + width * scale - boxX - boxWidth;
      const y = top + boxY;
      const words = label ? `${label} ${Math.round(confidence * 100)} %` : "?"; // the status line says why
      const tagWidth = pen.measureText(words).width + 20;
      const tagY = y >= 32 ? y - 32 : y + boxHeight + 6;
      pen.strokeStyle = pen.fillStyle = style.getPropertyValue(label ? "--accent" : "--unread");
      pen.beginPath();
      pen.roundRect(x, y, boxWidth, boxHeight, 12);
      pen.stroke();
      pen.beginPath();
      pen.roundRect(x, tagY, tagWidth, 26, 9);
      pen.fill();
      pen.fillStyle = style.getPropertyValue("--on-accent");
      pen.fillText(words, x + 10, tagY + 14);
    }
  }
}
