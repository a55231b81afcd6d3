// The text box: read while one types, with what weighed most marked behind the words.

import { feeling } from "./mood.js";
import { tell } from "./tell.js";

const PAUSE = 250; // ms without a key before what stands there is read
const LONGEST_PAUSE = 1000; // ms: who types on without a pause is read all the same
const ANSWER_TIMEOUT = 10_000; // ms: the first answer may have to wait until the server's model is open
const UNKNOWN_LANGUAGE = "The mirror does not know this language, so it leaves your mood as it is. It reads English.";
const NEARLY_FULL = 0.8; // of the characters that fit: from there on they are counted

const box = document.getElementById("words");
const paper = document.getElementById("words-marks");
const told = document.getElementById("words-told");
const count = document.getElementById("words-count");
const clear = document.getElementById("words-clear");
const invitation = told.textContent;

/** Let the visitor write over this connection. Returns what reads the text once more. */
export function openWords(socket) {
  let timer = null;
  let unreadSince = null; // when the first key came that has not been read
  let reading = false;
  let again = false; // the text has changed while it was read
  let marked = { text: "", words: [] }; // what was read last

  function paint() {
    const text = box.value;
    const same = commonLength(text, marked.text);
    mark(text, marked.words.filter((word) => word.end <= same));
    count.hidden = text.length < NEARLY_FULL * box.maxLength;
    count.textContent = `${text.length} of ${box.maxLength}`;
    clear.hidden = text === "";
  }

  async function read() {
    clearTimeout(timer);
    unreadSince = null;
    again = reading;
    if (reading) return;
    reading = true;
    do {
      again = false;
      const text = box.value;
      let answer;
      try {
        answer = await socket.timeout(ANSWER_TIMEOUT).emitWithAck("text", text);
      } catch {
        answer = { error: "The server is slow to answer. Type on, and it is asked again." };
      }
      if (!answer.superseded) show(text, answer);
    } while (again);
    reading = false;
  }

  function show(text, answer) {
    marked = { text, words: places(text, answer.words ?? []) };
    paint();
    if (answer.error) tell(told, answer.error, { aloud: true });
    else if (!answer.language_known) tell(told, UNKNOWN_LANGUAGE, { aloud: true });
    else if (answer.label === null) tell(told, invitation);
    else tell(told, `Your words sound ${feeling(answer.label)}.${marked.words.length ? " What weighed most is marked." : ""}`);
  }

  box.addEventListener("input", () => {
    paint();
    clearTimeout(timer);
    const now = performance.now();
    unreadSince ??= now;
    timer = setTimeout(read, Math.min(PAUSE, Math.max(unreadSince + LONGEST_PAUSE - now, 0)));
  });
  clear.addEventListener("click", () => {
    box.value = "";
    paint();
    read();
    box.focus();
  });
  paint(); // a browser may bring the text back with the page
  return () => {
    if (box.value) read();
  };
}

/** Words with their places in a JavaScript string: the server counts characters, a string half of an emoji too. */
function places(text, words) {
  const characters = [...text];
  const length = (from, to) => characters.slice(from, to).join("").length;
  const heaviest = Math.max(...words.map((word) => word.weight));
  return words.map(({ start, end, weight }) => {
    const begin = length(0, start);
    return { start: begin, end: begin + length(start, end), strength: weight / heaviest };
  });
}

/** Lay marks under the words of a text, given in their order. */
function mark(text, words) {
  const parts = [];
  let at = 0;
  for (const { start, end, strength } of words) {
    const part = document.createElement("mark");
    part.textContent = text.slice(start, end);
    part.style.setProperty("--strength", `${Math.round(strength * 100)}%`);
    parts.push(text.slice(at, start), part);
    at = end;
  }
  paper.replaceChildren(...parts, text.slice(at), "\u200b"); // so that an empty last line has its height
}

function commonLength(text, other) {
  let length = 0;
  while (length < text.length && text[length] === other[length]) length += 1;
  return length;
}
