// The answer of POST /api/analyze/file, as far as the page uses it; openapi.json describes all of it.

import type { Emotion, SourceReading, TrackedFace, Vector } from "../messages.js";

/** The emotions at one moment of a clip or recording. */
export interface FileMoment {
  at: number | null; // seconds from the beginning, null where a file has no time
  label: Emotion | null;
  vector: Vector;
}

export interface FileAnalysis {
  kind: "image" | "video" | "audio" | "text";
  label: Emotion | null;
  vector: Vector;
  share: number; // 0…1, of what could be read
  width: number | null; // pixels
  height: number | null;
  seconds: number | null;
  course: FileMoment[];
  faces: TrackedFace[];
  notices: string[]; // sentences for the visitor
  readings: SourceReading[]; // for the event "show"
  help: object | null; // there is help to show: the text states a crisis
}
