// What one would like to be offered: the mode, the filters of each table, and a wish in own words.

import { tell } from "./tell.js";

const PAUSE = 400; // ms without a key before a wish is sent
const ANSWER_TIMEOUT = 10_000; // ms: the first wish may have to wait until the server's model is open
const MOST_SEEDS = 1_000_000;

const modes = [...document.querySelectorAll('#modes input[name="mode"]')];
const towards = document.getElementById("towards");
const again = document.getElementById("surprise-again");
const words = document.getElementById("mode-words");
const wish = document.getElementById("wish");
const told = document.getElementById("wish-told");
const invitation = told.textContent;
const forms = [...document.querySelectorAll("form.filters")];
const languages = new Intl.DisplayNames(["en"], { type: "language" });

/** Let the visitor choose over this connection. Returns what tells the server all choices once more. */
export function openChoices(socket) {
  let seed = newSeed();
  let timer = null;

  const mode = () => modes.find((choice) => choice.checked).value;

  async function send() {
    clearTimeout(timer);
    const preferences = { mode: mode(), filters: Object.fromEntries(forms.map((form) => [form.dataset.kind, read(form)])) };
    if (preferences.mode === "journey") preferences.towards = towards.value;
    if (preferences.mode === "surprise") preferences.seed = seed;
    const asked = wish.value.trim();
    if (asked) preferences.wish = asked;
    let answer;
    try {
      answer = await socket.timeout(ANSWER_TIMEOUT).emitWithAck("preferences", preferences);
    } catch {
      answer = { error: "The server is slow to answer. Try again in a moment." };
    }
    if (answer.error) tell(told, answer.error, { aloud: true });
    else tell(told, asked ? "Your wish counts beside your mood, or alone until one is known; it is never stored." : invitation);
  }

  function showMode() {
    towards.parentElement.hidden = mode() !== "journey";
    again.hidden = mode() !== "surprise";
    words.textContent = modes.find((choice) => choice.checked).dataset.words;
  }

  for (const choice of modes) {
    choice.addEventListener("change", () => {
      if (choice.value === "surprise") seed = newSeed();
      showMode();
      send();
    });
  }
  towards.addEventListener("change", send);
  again.addEventListener("click", () => {
    seed = newSeed();
    send();
  });
  wish.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(send, PAUSE);
  });
  for (const form of forms) {
    const button = document.getElementById(`${form.dataset.kind}-filter`);
    for (const option of form.querySelectorAll('[name="language"] option[value]:not([value=""])')) {
      option.textContent = option.value === "zxx" ? "no words" : languages.of(option.value);
    }
    button.addEventListener("click", () => {
      form.hidden = !form.hidden;
      button.setAttribute("aria-expanded", String(!form.hidden));
    });
    form.addEventListener("change", () => {
      showCount(form, button);
      send();
    });
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("reset", () =>
      setTimeout(() => {
        showCount(form, button);
        send();
      }),
    );
    showCount(form, button); // a browser may bring choices back with the page
  }
  showMode();
  return send;
}

/** A form's filters by name; several values of one name are parted by bars. */
function read(form) {
  const filters = {};
  for (const [name, value] of new FormData(form)) {
    if (value) filters[name] = name in filters ? `${filters[name]}|${value}` : value;
  }
  return filters;
}

function showCount(form, button) {
  const count = Object.values(read(form)).flatMap((value) => value.split("|")).length;
  const badge = button.querySelector(".count");
  badge.hidden = count === 0;
  badge.textContent = count;
  const { kind } = form.dataset;
  button.setAttribute("aria-label", count ? `Filter ${kind}, ${count} set` : `Filter ${kind}`);
}

const newSeed = () => Math.floor(Math.random() * MOST_SEEDS);
