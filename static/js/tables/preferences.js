// What the visitor wants recommended: the mode, the filters of each table, and a text query.

/** @import { PreferencesPayload } from "../messages.js" */
/** @import { ServerSocket } from "../types/socket.js" */

import { byId, query, queryAll } from "../dom.js";
import { setStatus } from "../live_region.js";

const DEBOUNCE_MS = 400; // without a key before a text query is sent
const ANSWER_TIMEOUT_MS = 10_000; // the first text query may have to wait until the server has loaded its model
const SEARCHING_MS = 300; // a search that takes longer is shown as running
const SEARCHING = "Searching …";
const MAX_SEED = 1_000_000; // of the surprise mode, exclusive

const modes = queryAll(document, '#modes input[name="mode"]', HTMLInputElement);
const journeyTarget = byId("journey-target", HTMLSelectElement);
const journeyTargetLabel = byId("journey-target-label", HTMLElement);
const nextSurprise = byId("next-surprise", HTMLButtonElement);
const modeDescription = byId("mode-description", HTMLElement);
const queryBox = byId("text-query", HTMLInputElement);
const queryStatus = byId("query-status", HTMLElement);
const instructions = queryStatus.textContent ?? "";
const forms = queryAll(document, "form.filters", HTMLFormElement);
const sort = /** @type {HTMLSelectElement | null} */ (document.getElementById("movies-sort")); // where films have ratings
const languageNames = new Intl.DisplayNames(["en"], { type: "language" });

/**
 * Set up the mode, the filters and the text query.
 * @param {ServerSocket} socket
 * @returns {() => void} sends all preferences again
 */
export function openPreferences(socket) {
  let seed = newSeed();
  let timer = 0;

  const selectedMode = () => modes.find((mode) => mode.checked) ?? modes[0];

  async function send() {
    clearTimeout(timer);
    const mode = selectedMode().value;
    const text = queryBox.value.trim();
    const preferences = /** @type {PreferencesPayload} */ ({
      mode,
      filters: Object.fromEntries(forms.map((form) => [form.dataset.kind, readFilters(form)])),
      ...(mode === "journey" && { towards: journeyTarget.value }),
      ...(mode === "surprise" && { seed }),
      ...(text && { wish: text }),
      ...(sort?.value && { sort: sort.value }),
      ...(songList()?.value && { song_list: songList()?.value }),
    });
    let answer;
    const slow = setTimeout(() => setStatus(queryStatus, SEARCHING), SEARCHING_MS);
    try {
      answer = await socket.timeout(ANSWER_TIMEOUT_MS).emitWithAck("preferences", preferences);
    } catch {
      answer = { error: "The server is slow to answer. Try again in a moment." };
    }
    clearTimeout(slow);
    if (answer.error) setStatus(queryStatus, answer.error, { announce: true });
    else setStatus(queryStatus, instructions);
  }

  function showMode() {
    const mode = selectedMode();
    journeyTargetLabel.hidden = mode.value !== "journey";
    nextSurprise.hidden = mode.value !== "surprise";
    modeDescription.textContent = mode.dataset.description ?? "";
  }

  for (const mode of modes) {
    mode.addEventListener("change", () => {
      if (mode.value === "surprise") seed = newSeed();
      showMode();
      send();
    });
  }
  journeyTarget.addEventListener("change", send);
  nextSurprise.addEventListener("click", () => {
    seed = newSeed();
    send();
  });
  queryBox.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(send, DEBOUNCE_MS);
  });
  sort?.addEventListener("change", send);
  for (const form of forms) setUpFilters(form, send);
  showMode();
  return send;
}

/**
 * @param {HTMLFormElement} form
 * @param {() => void} onChange
 */
function setUpFilters(form, onChange) {
  const kind = form.dataset.kind ?? "";
  const button = byId(`${kind}-filter`, HTMLButtonElement);
  const badge = query(button, ".count", HTMLElement);

  function showCount() {
    const count = Object.values(readFilters(form)).flatMap((value) => value.split("|")).length;
    badge.hidden = count === 0;
    badge.textContent = String(count);
    button.setAttribute("aria-label", count ? `Filter ${kind}, ${count} set` : `Filter ${kind}`);
  }

  function update() {
    showCount();
    onChange();
  }

  for (const option of queryAll(form, '[name="language"] option[value]:not([value=""])', HTMLOptionElement)) {
    option.textContent = option.value === "zxx" ? "no words" : (languageNames.of(option.value) ?? option.value);
  }
  button.addEventListener("click", () => {
    form.hidden = !form.hidden;
    button.setAttribute("aria-expanded", String(!form.hidden));
  });
  form.addEventListener("change", update);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => setTimeout(update)); // the event comes before the fields are reset
  showCount(); // a browser may restore the filters with the page
}

/**
 * Return a form's filters by name; several values of one name are joined by "|".
 * @param {HTMLFormElement} form
 */
function readFilters(form) {
  /** @type {Record<string, string>} */
  const filters = {};
  for (const [name, value] of new FormData(form)) {
    if (value) filters[name] = name in filters ? `${filters[name]}|${value}` : String(value);
  }
  return filters;
}

/** Return the choice of a list of the visitor's own songs, where the site has it. */
const songList = () => /** @type {HTMLSelectElement | null} */ (document.getElementById("song-list"));

const newSeed = () => Math.floor(Math.random() * MAX_SEED);
