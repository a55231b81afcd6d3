// Shows, everywhere on the page and in the tab's title, which cameras and microphones are open, and stops all of them at once.

import { byId, queryAll } from "./dom.js";

const bar = byId("recording-indicator", HTMLElement);
const title = document.title;

/**
 * Set up the indicator; `onStop` is called to close every input.
 * @param {() => void} onStop
 * @returns {(input: "camera" | "room" | "microphone", open: boolean) => void} shows whether one input is open
 */
export function openRecordingIndicator(onStop) {
  const labels = new Map(queryAll(bar, "[data-input]", HTMLElement).map((label) => [label.dataset.input, label]));
  byId("stop-everything", HTMLButtonElement).addEventListener("click", onStop);
  return (input, open) => {
    const label = labels.get(input);
    if (label) label.hidden = !open;
    const closed = [...labels.values()].every((other) => other.hidden);
    bar.hidden = closed;
    document.title = closed ? title : `● ${title}`;
  };
}
