// A file instead of a camera: dropped, chosen or pasted, analyzed by the server, and shown in place of the camera picture.

/** @import { Vector } from "../messages.js" */
/** @import { FileAnalysis } from "../types/file_analysis.js" */
/** @import { ServerSocket } from "../types/socket.js" */

import { byId } from "../dom.js";
import { percent } from "../format.js";
import { setStatus } from "../live_region.js";
import { adjective, setChosenSource } from "../mood/mood_view.js";
import { clearAnalysis, showAnalysis } from "./file_analysis_view.js";
import { uploadFile } from "./file_upload.js";

const MAX_BYTES = 100_000_000; // the server's limit
const NOTHING_FOUND = {
  image: "No face in this picture can be read. Try a larger or sharper one.",
  video: "No face and no voice in this clip can be read.",
  audio: "No voice was found in this recording.",
  text: "There is no text to read in this file.",
};
const SENTENCE_STARTS = {
  image: "The face looks",
  video: "The clip is",
  audio: "The voice sounds",
  text: "The words sound",
};

const input = byId("file-input", HTMLInputElement);
const chooseButton = byId("file-choose", HTMLButtonElement);
const cancelButton = byId("file-cancel", HTMLButtonElement);
const removeButton = byId("file-remove", HTMLButtonElement);
const progress = byId("file-progress", HTMLProgressElement);
const status = byId("file-status", HTMLElement);
const instructions = status.textContent ?? "";
const preview = byId("file-preview", HTMLElement);
const picture = byId("file-preview-image", HTMLImageElement);
const clip = byId("file-preview-video", HTMLVideoElement);

/**
 * Set up the file section. `onPreview` receives the name of a file that is shown in place of the camera, and null when it is
 * removed; `onMoodSet` is called when a file's mood becomes the visitor's, `onMoodCleared` when that ends.
 *
 * Returns `remove`, which removes the file and its mood, and `releaseMood` for when the visitor has chosen another mood.
 * @param {ServerSocket} socket
 * @param {{ onPreview: (name: string | null) => void, onMoodSet: () => void, onMoodCleared: () => void }} options
 */
export function openFileInput(socket, { onPreview, onMoodSet, onMoodCleared }) {
  /** @type {XMLHttpRequest | null} */
  let upload = null;
  /** @type {string | null} */
  let previewUrl = null;
  /** @type {Vector | null} */
  let moodVector = null; // the file's mood while it is the visitor's

  function releaseMood() {
    moodVector = null;
    setChosenSource("choice");
  }

  function remove() {
    upload?.abort();
    preview.hidden = removeButton.hidden = true;
    clearAnalysis();
    picture.removeAttribute("src");
    clip.removeAttribute("src");
    clip.load();
    if (previewUrl) URL.revokeObjectURL(previewUrl);
    previewUrl = null;
    setStatus(status, instructions);
    onPreview(null);
    if (moodVector) {
      releaseMood();
      onMoodCleared();
    }
  }

  /** @param {File} file */
  function showPreview(file) {
    const isImage = file.type.startsWith("image/");
    if (!isImage && !/^(video|audio)\//.test(file.type)) return;
    previewUrl = URL.createObjectURL(file);
    picture.hidden = !isImage;
    clip.hidden = isImage;
    (isImage ? picture : clip).src = previewUrl;
    preview.hidden = false;
  }

  /** @param {File} file */
  function read(file) {
    remove();
    if (file.size > MAX_BYTES) {
      const message = `This file has ${Math.round(file.size / 1e6)} MB; the limit is ${MAX_BYTES / 1e6} MB. Make it smaller, or cut it.`;
      setStatus(status, message, { announce: true });
      return;
    }
    onPreview(file.name);
    showPreview(file);
    upload = uploadFile(file, {
      onProgress(phase, share) {
        setBusy(true);
        setStatus(status, phase);
        if (share === null) progress.removeAttribute("value");
        else progress.value = share;
      },
      onResult: showResult,
      onError(message) {
        remove();
        setStatus(status, message, { announce: true });
      },
      onEnd() {
        upload = null;
        setBusy(false);
      },
    });
  }

  /** @param {FileAnalysis} analysis */
  function showResult(analysis) {
    removeButton.hidden = false;
    showAnalysis(analysis);
    if (analysis.label === null) {
      setStatus(status, NOTHING_FOUND[analysis.kind], { announce: true });
      return;
    }
    const share = analysis.kind === "video" ? ` for ${percent(analysis.share)} of what could be read in it` : "";
    const result = `${SENTENCE_STARTS[analysis.kind]} ${adjective(analysis.label)}${share}.`;
    setStatus(status, `${result} The mirror keeps this mood until you remove the file.`, { announce: true });
    moodVector = analysis.vector;
    setChosenSource("file");
    socket.emit("show", moodVector);
    onMoodSet();
  }

  /** @param {boolean} busy */
  function setBusy(busy) {
    progress.hidden = cancelButton.hidden = !busy;
    chooseButton.hidden = busy;
  }

  chooseButton.addEventListener("click", () => input.click());
  input.addEventListener("change", () => {
    if (input.files?.length) read(input.files[0]);
    input.value = ""; // so that the same file can be chosen again
  });
  cancelButton.addEventListener("click", () => {
    remove();
    setStatus(status, "Canceled. Nothing of the file is stored.", { announce: true });
    chooseButton.focus();
  });
  removeButton.addEventListener("click", () => {
    remove();
    chooseButton.focus();
  });
  for (const view of [picture, clip]) {
    view.addEventListener("error", () => {
      if (previewUrl) preview.hidden = true; // a format that this browser cannot show; the server may read it all the same
    });
  }
  document.addEventListener("paste", (event) => {
    if (!event.clipboardData?.files.length) return;
    event.preventDefault();
    read(event.clipboardData.files[0]);
  });
  document.addEventListener("dragover", (event) => {
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    document.body.dataset.dropping = "";
  });
  document.addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) delete document.body.dataset.dropping;
  });
  document.addEventListener("drop", (event) => {
    delete document.body.dataset.dropping;
    if (!event.dataTransfer?.files.length) return;
    event.preventDefault();
    read(event.dataTransfer.files[0]);
  });
  // The server stores nothing of a connection that ended.
  socket.on("connect", () => {
    if (moodVector) socket.emit("show", moodVector);
  });
  return { remove, releaseMood };
}
