// Uploads a file for analysis and follows the progress that the server streams back.

/** @import { FileAnalysis } from "../types/file_analysis.js" */
/**
 * @typedef {object} UploadListeners
 * @property {(phase: string, share: number | null) => void} onProgress share 0…1, or null while it is unknown
 * @property {(analysis: FileAnalysis) => void} onResult
 * @property {(message: string) => void} onError
 * @property {() => void} onEnd called last, also after an error or an abort
 */

import { sentence } from "../format.js";

const PROGRESS_TYPE = "application/x-ndjson";

/**
 * Upload a file and report how its analysis goes. Returns the request, which can be aborted.
 * @param {File} file
 * @param {UploadListeners} listeners
 */
export function uploadFile(file, { onProgress, onResult, onError, onEnd }) {
  const request = new XMLHttpRequest();
  let consumed = 0; // characters of the response that were parsed
  let finished = false; // the response contained a result or a problem

  function parseLines() {
    if (request.status !== 200) return;
    for (;;) {
      const end = request.responseText.indexOf("\n", consumed);
      if (end < 0) return;
      const line = JSON.parse(request.responseText.slice(consumed, end));
      consumed = end + 1;
      if ("progress" in line) onProgress("Reading …", line.progress);
      finished ||= "analysis" in line || "problem" in line;
      if (line.analysis) onResult(line.analysis);
      if (line.problem) onError(sentence(line.problem.detail));
    }
  }

  request.open("POST", "/api/analyze/file");
  request.setRequestHeader("Accept", PROGRESS_TYPE);
  request.setRequestHeader("Content-Type", "application/octet-stream");
  request.upload.addEventListener("progress", ({ loaded, total }) => onProgress("Uploading …", loaded / total));
  request.upload.addEventListener("load", () => onProgress("Reading …", null));
  request.addEventListener("progress", parseLines);
  request.addEventListener("load", () => {
    parseLines();
    if (finished) return;
    const isProblem = request.getResponseHeader("Content-Type")?.includes("problem+json");
    onError(
      isProblem
        ? sentence(JSON.parse(request.responseText).detail)
        : "The server could not finish reading this file. Try again.",
    );
  });
  request.addEventListener("error", () => onError("The connection was lost while the file was read. Try again."));
  request.addEventListener("loadend", onEnd);
  onProgress("Uploading …", 0);
  request.send(file);
  return request;
}
