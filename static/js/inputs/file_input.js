// Files beside or instead of a camera: dropped, chosen or pasted, analyzed by the server one after another, and shown in place
// of the camera picture. Together with the text box they make one mood.

/** @import { SourceReading } from "../messages.js" */
/** @import { FileAnalysis } from "../types/file_analysis.js" */
/** @import { ServerSocket } from "../types/socket.js" */
/** @typedef {{ name: string, analysis: FileAnalysis, item: HTMLLIElement }} ReadFile */

import { byId } from "../dom.js";
import { percent } from "../format.js";
import { setStatus } from "../live_region.js";
import { adjective, setFileSources } from "../mood/mood_view.js";
import { clearAnalysis, showAnalysis } from "./file_analysis_view.js";
import { uploadFile } from "./file_upload.js";

const MAX_BYTES = 100_000_000; // the server's limit
const MAX_FILES = 8;
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
const list = byId("file-list", HTMLUListElement);
const preview = byId("file-preview", HTMLElement);
const picture = byId("file-preview-image", HTMLImageElement);
const clip = byId("file-preview-video", HTMLVideoElement);

/**
 * Set up the file section. `onPreview` receives the name of a file that is shown in place of the camera, and null when it is
 * removed; `onMoodSet` is called when the files' mood becomes the visitor's, `onMoodCleared` when that ends, `onStatement`
 * when a file's text states a crisis.
 *
 * Returns `remove`, which removes all files and their mood, and `releaseMood` for when the visitor has chosen another mood.
 * @param {ServerSocket} socket
 * @param {{ onPreview: (name: string | null) => void, onMoodSet: () => void, onMoodCleared: () => void, onStatement: () => void }} options
 */
export function openFileInput(socket, { onPreview, onMoodSet, onMoodCleared, onStatement }) {
  /** @type {XMLHttpRequest | null} */
  let upload = null;
  /** @type {File[]} */
  let waiting = []; // to be read
  /** @type {ReadFile[]} */
  let files = []; // that were read
  /** @type {string | null} */
  let previewUrl = null;
  /** @type {string | null} */
  let previewName = null; // of the file that is shown
  let isMood = false; // whether the files' mood is the visitor's

  /** @returns {SourceReading[]} */
  const readings = () => files.flatMap(({ analysis }) => analysis.readings);

  function sendMood() {
    const held = readings();
    setFileSources(held.map((reading) => reading.source));
    socket.emit("show", held);
    isMood = held.length > 0;
  }

  function releaseMood() {
    if (isMood) socket.emit("show", []);
    isMood = false;
    setFileSources([]);
  }

  function hidePreview() {
    preview.hidden = true;
    clearAnalysis();
    picture.removeAttribute("src");
    clip.removeAttribute("src");
    clip.load();
    if (previewUrl) URL.revokeObjectURL(previewUrl);
    previewUrl = previewName = null;
    onPreview(null);
  }

  function remove() {
    waiting = [];
    upload?.abort();
    for (const { item } of files) item.remove();
    files = [];
    hidePreview();
    showList();
    setStatus(status, instructions);
    if (isMood) {
      releaseMood();
      onMoodCleared();
    }
  }

  /** @param {ReadFile} file */
  function removeOne(file) {
    if (files.length === 1 && !upload) {
      remove();
      return;
    }
    files = files.filter((other) => other !== file);
    file.item.remove();
    if (file.name === previewName) hidePreview();
    clearAnalysis();
    const last = files.at(-1);
    if (last) showAnalysis(last.analysis);
    showList();
    if (isMood) sendMood();
    say();
  }

  function showList() {
    list.hidden = files.length < 2; // the only file is described beside the button
    removeButton.hidden = files.length === 0;
    removeButton.textContent = files.length > 1 ? "Remove all files" : "Remove the file";
    chooseButton.textContent = files.length > 0 ? "Add a file" : "Choose a file";
  }

  /**
   * Show a file in place of the camera; a recording or a text does not take the place of a picture.
   * @param {File} file
   */
  function showPreview(file) {
    if (!preview.hidden && !/^(image|video)\//.test(file.type)) return;
    hidePreview();
    previewName = file.name;
    onPreview(file.name);
    const isImage = file.type.startsWith("image/");
    if (!isImage && !/^(video|audio)\//.test(file.type)) return;
    previewUrl = URL.createObjectURL(file);
    picture.hidden = !isImage;
    clip.hidden = isImage;
    (isImage ? picture : clip).src = previewUrl;
    preview.hidden = false;
  }

  /** @param {Iterable<File>} chosen */
  function read(chosen) {
    for (const file of chosen) {
      if (files.length + waiting.length + Number(upload !== null) >= MAX_FILES) {
        setStatus(status, `At most ${MAX_FILES} files are read together. Remove one first.`, { announce: true });
        break;
      }
      if (file.size > MAX_BYTES) {
        const message = `${file.name} has ${Math.round(file.size / 1e6)} MB; the limit is ${MAX_BYTES / 1e6} MB. Make it smaller, or cut it.`;
        setStatus(status, message, { announce: true });
      } else waiting.push(file);
    }
    if (!upload) readNext();
  }

  function readNext() {
    const file = waiting.shift();
    if (!file) return;
    showPreview(file);
    upload = uploadFile(file, {
      onProgress(phase, share) {
        setBusy(true);
        setStatus(status, files.length + waiting.length ? `${file.name}: ${phase}` : phase);
        if (share === null) progress.removeAttribute("value");
        else progress.value = share;
      },
      onResult: (analysis) => showResult(file.name, analysis),
      onError(message) {
        if (file.name === previewName) hidePreview();
        setStatus(status, files.length ? `${file.name}: ${message}` : message, { announce: true });
      },
      onEnd() {
        upload = null;
        setBusy(false);
        readNext();
      },
    });
  }

  /**
   * @param {string} name
   * @param {FileAnalysis} analysis
   */
  function showResult(name, analysis) {
    const item = document.createElement("li");
    /** @type {ReadFile} */
    const file = { name, analysis, item };
    item.append(`${name}: ${analysis.label ? adjective(analysis.label) : "nothing to read"} `);
    const button = document.createElement("button");
    button.type = "button";
    button.className = "small";
    button.textContent = "Remove";
    button.setAttribute("aria-label", `Remove ${name}`);
    button.addEventListener("click", () => {
      removeOne(file);
      chooseButton.focus();
    });
    item.append(button);
    list.append(item);
    files.push(file);
    showList();
    if (analysis.help) onStatement();
    showAnalysis(analysis);
    say();
    if (analysis.readings.length === 0) return;
    sendMood();
    onMoodSet();
  }

  /** Say what the file, or all files, show. */
  function say() {
    const notices = files.flatMap(({ analysis }) => analysis.notices).join(" ");
    if (files.length === 1) {
      const [{ analysis }] = files;
      setStatus(status, `${describe(analysis)} ${notices}`.trim(), { announce: true });
    } else {
      const found = files.filter(({ analysis }) => analysis.readings.length > 0).length;
      const result = `${found} of ${files.length} files make one mood, together with what you write.`;
      setStatus(status, `${result} The mirror keeps it until you remove them. ${notices}`.trim(), { announce: true });
    }
  }

  /** @param {FileAnalysis} analysis */
  function describe(analysis) {
    if (analysis.label === null) return NOTHING_FOUND[analysis.kind];
    const share = analysis.kind === "video" ? ` for ${percent(analysis.share)} of what could be read in it` : "";
    const result = `${SENTENCE_STARTS[analysis.kind]} ${adjective(analysis.label)}${share}.`;
    return analysis.readings.length ? `${result} The mirror keeps this mood until you remove the file.` : result;
  }

  /** @param {boolean} busy */
  function setBusy(busy) {
    progress.hidden = cancelButton.hidden = !busy;
    chooseButton.hidden = busy;
  }

  chooseButton.addEventListener("click", () => input.click());
  input.addEventListener("change", () => {
    if (input.files) read(input.files);
    input.value = ""; // so that the same file can be chosen again
  });
  cancelButton.addEventListener("click", () => {
    waiting = [];
    upload?.abort();
    hidePreview();
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
    read(event.clipboardData.files);
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
    read(event.dataTransfer.files);
  });
  // The server stores nothing of a connection that ended.
  socket.on("connect", () => {
    if (isMood) sendMood();
  });
  return { remove, releaseMood };
}
