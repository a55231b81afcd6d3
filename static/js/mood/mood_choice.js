// The mood that the visitor chose by hand, instead of the one the mirror reads.

/** @import { Emotion } from "../messages.js" */
/** @import { ServerSocket } from "../types/socket.js" */

import { byId, queryAll } from "../dom.js";

const radios = queryAll(document, "#bars input", HTMLInputElement);
const clearButton = byId("clear-choice", HTMLButtonElement);

/**
 * Set up the choice of a mood. `onChoose` is called before a choice is sent, `onClear` when the visitor clears it.
 *
 * Returns `choose`, which sets and sends a choice; `show`, which only shows one, or none while a file's mood is `held`; and
 * `resend`, which sends the present choice again after a reconnection.
 * @param {ServerSocket} socket
 * @param {{ onChoose: () => void, onClear: () => void }} options
 */
export function openMoodChoice(socket, { onChoose, onClear }) {
  /** @type {Emotion | null} */
  let chosen = null;

  /**
   * @param {Emotion | null} emotion
   * @param {boolean} held
   */
  function show(emotion, held) {
    chosen = emotion;
    for (const radio of radios) radio.checked = radio.value === emotion;
    clearButton.hidden = !held;
  }

  /** @param {Emotion | null} emotion */
  function choose(emotion) {
    onChoose();
    show(emotion, emotion !== null);
    socket.emit("choose", emotion);
  }

  function resend() {
    const checked = radios.find((radio) => radio.checked); // a browser may restore a choice with the page
    chosen ??= checked ? /** @type {Emotion} */ (checked.value) : null;
    if (chosen) choose(chosen);
  }

  for (const radio of radios) radio.addEventListener("change", () => choose(/** @type {Emotion} */ (radio.value)));
  clearButton.addEventListener("click", () => {
    radios[0].focus();
    onClear();
    choose(null);
  });
  return { choose, show, resend };
}
