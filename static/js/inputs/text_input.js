// The text box: analyzed while the visitor types, with the words that counted most highlighted behind the text.

/** @import { Acknowledgement, Emotion, Mood, TextAck, Word } from "../messages.js" */
/** @import { ServerSocket } from "../types/socket.js" */
/** @typedef {{ start: number, end: number, strength: number }} Highlight positions in a JavaScript string; strength 0…1 */

import { byId } from "../dom.js";
import { setStatus } from "../live_region.js";
import { adjective } from "../mood/mood_view.js";

const DEBOUNCE_MS = 250; // without a key before the text is sent
const MAX_DEBOUNCE_MS = 1000; // text is sent this often while the visitor types without a pause
const ANSWER_TIMEOUT_MS = 10_000; // the first answer may have to wait until the server has loaded its model
const LANGUAGE_NAMES = new Intl.DisplayNames(["en"], { type: "language" });
const CRISIS = "You don’t have to go through this alone. Help is shown at the top of this page.";
const MOOD_WAIT_MS = 500; // a mood is published within a quarter of a second
const COUNT_THRESHOLD = 0.8; // of the length that is read: above it, the number of characters is shown

const box = byId("text-input", HTMLTextAreaElement);
const highlights = byId("text-highlights", HTMLElement);
const status = byId("text-status", HTMLElement);
const count = byId("text-count", HTMLElement);
const clear = byId("text-clear", HTMLButtonElement);
const instructions = status.textContent ?? "";
const maxCharacters = Number(box.dataset.maxCharacters); // the server reads no more

/**
 * Set up the text box.
 *
 * Returns `send`, which sends the text again, and `showMood`, which keeps what the page says of the text in agreement with the
 * mood that it shows.
 * @param {ServerSocket} socket
 */
export function openTextInput(socket) {
  let timer = 0;
  /** @type {number | null} */
  let firstChangeAt = null; // time of the first change that was not sent yet
  let waitTimer = 0;
  let sending = false;
  let statesCrisis = false; // the last answer's text
  let sendAgain = false; // the text has changed since it was sent
  /** @type {{ text: string, words: Highlight[] }} */
  let analyzed = { text: "", words: [] }; // the last answer
  /** @type {Emotion | null} */
  let moodLabel = null; // what the text contributes to the mood that the page shows
  /** @type {(() => void) | null} */
  let waiting = null; // shows an answer that the mood does not contain yet

  function render() {
    const text = box.value;
    const unchanged = commonPrefixLength(text, analyzed.text);
    highlight(
      text,
      analyzed.words.filter((word) => word.end <= unchanged),
    );
    count.hidden = text.length < COUNT_THRESHOLD * maxCharacters;
    count.textContent = `${format(text.length)} of ${format(maxCharacters)}`;
    clear.hidden = text === "";
  }

  async function send() {
    clearTimeout(timer);
    firstChangeAt = null;
    sendAgain = sending;
    if (sending) return;
    sending = true;
    do {
      sendAgain = false;
      const text = box.value;
      let answer;
      try {
        answer = await socket.timeout(ANSWER_TIMEOUT_MS).emitWithAck("text", firstCharacters(text, maxCharacters));
      } catch {
        answer = { error: "The server is slow to answer. Your text is sent again when you change it.", superseded: false };
      }
      if (!answer.superseded) showWithMood(text, answer);
    } while (sendAgain);
    sending = false;
  }

  /**
   * @param {string} text
   * @param {Acknowledgement<TextAck>} answer
   */
  function show(text, answer) {
    statesCrisis = answer.error === undefined && answer.states_crisis;
    analyzed = { text, words: answer.error === undefined && !statesCrisis ? toHighlights(text, answer.words) : [] };
    render();
    if (answer.error !== undefined) setStatus(status, answer.error, { announce: true });
    else if (statesCrisis) setStatus(status, CRISIS);
    else if (!answer.language_known) setStatus(status, unsupportedLanguage(answer.language), { announce: true });
    else if (answer.label === null) setStatus(status, instructions);
    else sayEmotion(answer.label);
  }

  /**
   * Say which emotion the last answer's text has.
   * @param {Emotion} emotion
   */
  function sayEmotion(emotion) {
    if (statesCrisis) return;
    const cut = analyzed.text.length > maxCharacters ? ` Only the first ${format(maxCharacters)} characters are read.` : "";
    const explanation = analyzed.words.length ? " The words that counted most are highlighted." : "";
    setStatus(status, `Your words sound ${adjective(emotion)}.${cut}${explanation}`, { announce: cut !== "" });
  }

  /**
   * Show an answer together with the mood that contains it: the mood's message may come later.
   * @param {string} text
   * @param {Acknowledgement<TextAck>} answer
   */
  function showWithMood(text, answer) {
    const showAnswer = () => {
      clearTimeout(waitTimer);
      waiting = null;
      show(text, answer);
    };
    clearTimeout(waitTimer);
    waiting = null;
    const label = answer.error === undefined && answer.language_known ? answer.label : null;
    if (label === null || label === moodLabel) showAnswer();
    else {
      waiting = showAnswer;
      waitTimer = setTimeout(showAnswer, MOOD_WAIT_MS); // a mood that the visitor chose contains no text
    }
  }

  /** @param {Mood} mood */
  function showMood(mood) {
    const label = mood.said.text?.label ?? null;
    if (label === moodLabel) return;
    moodLabel = label;
    if (label === null) return;
    if (waiting) waiting();
    else sayEmotion(label); // the answer follows
  }

  box.addEventListener("input", () => {
    render();
    clearTimeout(timer);
    const now = performance.now();
    firstChangeAt ??= now;
    timer = setTimeout(send, Math.min(DEBOUNCE_MS, Math.max(firstChangeAt + MAX_DEBOUNCE_MS - now, 0)));
  });
  clear.addEventListener("click", () => {
    box.value = "";
    render();
    send();
    box.focus();
  });
  render(); // a browser may restore the text with the page
  return {
    send: () => {
      if (box.value) send();
    },
    showMood,
  };
}

/** @param {string | null} language */
const unsupportedLanguage = (language) =>
  `This looks like ${LANGUAGE_NAMES.of(language ?? "und")}. The mirror can read English only, so it does not count for your mood.`;

/** @param {number} number */
const format = (number) => number.toLocaleString("en");

/**
 * Return the first `count` Unicode characters of a text; a longer text is cut between two of them.
 * @param {string} text
 * @param {number} count
 */
function firstCharacters(text, count) {
  return text.length <= count ? text : [...text].slice(0, count).join("");
}

/**
 * Convert the server's word positions, in Unicode characters, to positions in a JavaScript string, in UTF-16 units.
 * @param {string} text
 * @param {Word[]} words
 * @returns {Highlight[]}
 */
function toHighlights(text, words) {
  const characters = [...text];
  /** @type {(from: number, to: number) => number} */
  const length = (from, to) => characters.slice(from, to).join("").length;
  const maxWeight = Math.max(...words.map((word) => word.weight));
  return words.map(({ start, end, weight }) => {
    const begin = length(0, start);
    return { start: begin, end: begin + length(start, end), strength: weight / maxWeight };
  });
}

/**
 * Highlight words, given in text order, behind the text box.
 * @param {string} text
 * @param {Highlight[]} words
 */
function highlight(text, words) {
  const parts = [];
  let at = 0;
  for (const { start, end, strength } of words) {
    const part = document.createElement("mark");
    part.textContent = text.slice(start, end);
    part.style.setProperty("--strength", `${Math.round(strength * 100)}%`);
    parts.push(text.slice(at, start), part);
    at = end;
  }
  highlights.replaceChildren(...parts, text.slice(at), "\u200b"); // the zero-width space gives an empty last line its height
}

/**
 * @param {string} text
 * @param {string} other
 */
function commonPrefixLength(text, other) {
  let length = 0;
  while (length < text.length && text[length] === other[length]) length += 1;
  return length;
}
