// The four tables of recommendations. Rows are updated in place and keep their elements; while a visitor points at a table, has
// the keyboard focus in it, touches it or scrolls, its rows do not move, and what arrived meanwhile is shown afterwards.

/** @import { Kind, RecommendationsPayload, TableRow, Verdict } from "../messages.js" */
/** @import { ServerSocket } from "../types/socket.js" */
/** @typedef {Exclude<Verdict, "play">} ActionVerdict a verdict that has a button in each row */

import { byId, query, queryAll } from "../dom.js";
import { setStatus } from "../live_region.js";
import { makeIconButton, makeLink, makeSpan, updateLinks } from "./item_elements.js";
import { HoldTimer, rowOrder } from "./row_order.js";

const ROWS = 10;
const SCROLL_HOLD_MS = 700; // after scrolling, before rows may move
const TOUCH_HOLD_MS = 4000; // after a row was touched
const CAN_HOVER = matchMedia("(hover: hover)"); // where nothing can hover, a browser reports the last tap as hovering
const NO_MATCH = "Nothing matches these filters. Remove one, and the list fills again.";
/** @type {ActionVerdict[]} */
const VERDICTS = ["like", "save", "skip", "hide"];
/** @type {Record<ActionVerdict, string>} */
const ACTION_NAMES = { like: "Like", save: "Save", skip: "Not now", hide: "Never show again" };
/** @type {Record<"like" | "save", string>} */
const PRESSED_NAMES = { like: "Liked", save: "Saved" };
/** @type {Record<"skip" | "hide", string>} */
const DISMISSED_NAMES = { skip: "Not now", hide: "Hidden" };

const note = byId("tables-note", HTMLElement);
const holdTimer = new HoldTimer();
document.addEventListener("scroll", () => holdTimer.hold(SCROLL_HOLD_MS), { passive: true });
for (const type of /** @type {const} */ (["touchstart", "touchmove"])) {
  document.addEventListener(
    type,
    ({ target }) => {
      if (target instanceof Element && target.closest(".tables table")) holdTimer.hold(TOUCH_HOLD_MS);
      else if (type === "touchstart") holdTimer.release(); // a visitor who touches a control wants to see its effect
    },
    { passive: true },
  );
}

/**
 * Set up the tables of the page.
 *
 * Returns `show`, which shows rows by kind, as the server sends them, and `setMoodKnown`: rows that were made for a mood stay
 * when it fades, with a note that they are not for the present.
 * @param {ServerSocket} socket
 */
export function openTables(socket) {
  let moodKnown = false;
  let madeForMood = false; // rather than for a text query alone
  const tables = queryAll(document, ".tables table", HTMLTableElement).map(
    (table) => new RecommendationTable(table, socket),
  );
  for (const button of queryAll(document, ".icon-button.others", HTMLButtonElement)) {
    button.addEventListener("click", () => socket.emit("others", /** @type {Kind} */ (button.dataset.kind)));
  }
  const showNote = () => {
    note.hidden = moodKnown || !madeForMood;
  };

  /** @param {RecommendationsPayload} rows */
  function show(rows) {
    madeForMood = moodKnown && Object.keys(rows).length > 0;
    for (const table of tables) {
      const items = rows[table.kind];
      if (items) table.show(items);
      else table.clear();
    }
    showNote();
  }

  /** @param {boolean} known */
  function setMoodKnown(known) {
    moodKnown = known;
    showNote();
  }

  return { show, setMoodKnown };
}

class RecommendationTable {
  kind;
  #table;
  #body;
  #emptyState;
  #instructions; // what the empty state says before the first recommendations
  #undo;
  #socket;
  /** @type {TableRow[]} */
  #items = []; // the server's last message
  /** @type {Set<string>} */
  #dismissed = new Set(); // ids that were just skipped or hidden
  #timer = 0;

  /**
   * @param {HTMLTableElement} table
   * @param {ServerSocket} socket
   */
  constructor(table, socket) {
    const card = /** @type {HTMLElement} */ (table.parentElement);
    this.kind = /** @type {Kind} */ (table.id);
    this.#table = table;
    this.#body = table.tBodies[0];
    this.#emptyState = query(card, ".empty-state", HTMLElement);
    this.#instructions = this.#emptyState.textContent;
    this.#undo = byId(`${table.id}-undo`, HTMLElement);
    this.#socket = socket;
    const refresh = () => setTimeout(() => this.show(this.#items));
    table.addEventListener("mouseleave", refresh);
    table.addEventListener("focusout", refresh);
  }

  /**
   * Show the server's rows, as far as that is possible without moving a row that the visitor reads.
   * @param {TableRow[]} items
   */
  show(items) {
    this.#items = items;
    clearTimeout(this.#timer);
    const wait = holdTimer.remaining();
    if (wait > 0) this.#timer = setTimeout(() => this.show(this.#items), wait);
    this.#layOut(
      rowOrder({
        present: [...this.#body.rows].map((row) => row.dataset.id ?? ""),
        wanted: items.map((item) => item.id),
        dismissed: this.#dismissed,
        held: wait > 0 || this.#isInUse(),
        capacity: ROWS,
      }),
      new Map(items.map((item) => [item.id, item])),
    );
    for (const id of this.#dismissed) if (!items.some((item) => item.id === id)) this.#dismissed.delete(id);
    if (items.length === 0) this.#emptyState.textContent = NO_MATCH;
    this.#table.hidden = items.length === 0;
    this.#emptyState.hidden = items.length > 0;
  }

  /** Remove all rows: there is no mood and no text query to recommend for. */
  clear() {
    this.#items = [];
    clearTimeout(this.#timer);
    this.#body.replaceChildren();
    this.#emptyState.textContent = this.#instructions;
    this.#table.hidden = true;
    this.#emptyState.hidden = false;
  }

  /** Return whether a pointer is over the table, or the keyboard focus in it. */
  #isInUse() {
    return (CAN_HOVER.matches && this.#table.matches(":hover")) || this.#table.querySelector(":focus-visible") !== null;
  }

  /**
   * Bring the rows into the order of `ids`: move, add and remove them.
   * @param {string[]} ids
   * @param {Map<string, TableRow>} items
   */
  #layOut(ids, items) {
    const present = new Map([...this.#body.rows].map((row) => [row.dataset.id ?? "", row]));
    ids.forEach((id, index) => {
      const item = items.get(id);
      const row = present.get(id) ?? (item && this.#makeRow(item));
      if (!row) return;
      present.delete(id);
      if (item) updateRow(row, item);
      if (this.#body.rows[index] !== row) this.#body.insertBefore(row, this.#body.rows[index] ?? null);
    });
    for (const row of present.values()) row.remove();
  }

  /** @param {TableRow} item */
  #makeRow(item) {
    const row = document.createElement("tr");
    row.dataset.id = item.id;
    row.className = "new";
    row.addEventListener("animationend", () => row.classList.remove("new")); // so that a moved row does not fade in again
    const info = document.createElement("th");
    info.scope = "row";
    const details = document.createElement("ul");
    details.className = "details";
    details.id = `why-${this.kind}-${item.id}`;
    details.hidden = true;
    info.append(makeLink(item.links[0], item, "title", item.title));
    info.append(makeSpan("about", item.about), makeSpan("tagline", item.line), makeSpan("why", item.why), details);
    const tools = document.createElement("td");
    tools.append(...item.links.map((link) => makeLink(link, item, "search-link", link.name)));
    const actions = document.createElement("span");
    actions.className = "actions";
    for (const verdict of VERDICTS) {
      const button = makeIconButton({ icon: verdict, name: ACTION_NAMES[verdict], itemTitle: item.title });
      button.dataset.verdict = verdict;
      button.addEventListener("click", () => this.#giveFeedback(row, item, verdict, button));
      actions.append(button);
    }
    actions.append(makeDetailsButton(item, details));
    tools.append(actions);
    row.append(info, tools);
    for (const link of queryAll(row, "a", HTMLAnchorElement)) {
      link.addEventListener("click", () => this.#sendFeedback(item, "play", true));
    }
    return row;
  }

  /**
   * @param {HTMLTableRowElement} row
   * @param {TableRow} item
   * @param {ActionVerdict} verdict
   * @param {HTMLButtonElement} button
   */
  #giveFeedback(row, item, verdict, button) {
    if (verdict === "like" || verdict === "save") {
      const on = button.getAttribute("aria-pressed") !== "true";
      setPressed(button, verdict, on);
      this.#sendFeedback(item, verdict, on);
      return;
    }
    const next = row.nextElementSibling ?? row.previousElementSibling;
    const hadKeyboardFocus = row.querySelector(":focus-visible") !== null;
    this.#dismissed.add(item.id);
    row.remove();
    if (hadKeyboardFocus && next) query(next, `[data-verdict="${verdict}"]`, HTMLButtonElement).focus();
    this.#sendFeedback(item, verdict, true);
    this.#offerUndo(item, verdict);
  }

  /**
   * @param {TableRow} item
   * @param {"skip" | "hide"} verdict
   */
  #offerUndo(item, verdict) {
    const undo = document.createElement("button");
    undo.type = "button";
    undo.className = "small";
    undo.textContent = "Undo";
    undo.addEventListener("click", () => {
      this.#dismissed.delete(item.id);
      this.#sendFeedback(item, verdict, false);
      this.#undo.replaceChildren();
    });
    this.#undo.replaceChildren(`${DISMISSED_NAMES[verdict]}: ${item.title} `, undo);
  }

  /**
   * @param {TableRow} item
   * @param {Verdict} verdict
   * @param {boolean} on
   */
  #sendFeedback(item, verdict, on) {
    this.#socket.emit("feedback", { kind: this.kind, id: item.id, verdict, on }, (answer) => {
      if (answer.error) setStatus(this.#undo, answer.error, { announce: true });
    });
  }
}

/**
 * Make the button that shows and hides the details of a recommendation.
 * @param {TableRow} item
 * @param {HTMLElement} details
 */
function makeDetailsButton(item, details) {
  const button = makeIconButton({ icon: "why", name: "Why this", itemTitle: item.title });
  button.setAttribute("aria-expanded", "false");
  button.setAttribute("aria-controls", details.id);
  button.addEventListener("click", () => {
    details.hidden = !details.hidden;
    button.setAttribute("aria-expanded", String(!details.hidden));
  });
  return button;
}

/**
 * Update what may have changed in a row since it was made: the mood that it is compared with, the visitor's feedback, and
 * links, which lead to the item's page once its id is known.
 * @param {HTMLTableRowElement} row
 * @param {TableRow} item
 */
function updateRow(row, item) {
  query(row, ".why", HTMLElement).textContent = item.why;
  updateLinks(row, item.links);
  query(row, ".details", HTMLElement).replaceChildren(
    ...item.details.map((text) => {
      const detail = document.createElement("li");
      detail.textContent = text;
      return detail;
    }),
  );
  setPressed(query(row, '[data-verdict="like"]', HTMLButtonElement), "like", item.liked);
  setPressed(query(row, '[data-verdict="save"]', HTMLButtonElement), "save", item.saved);
}

/**
 * @param {HTMLButtonElement} button
 * @param {"like" | "save"} verdict
 * @param {boolean} on
 */
function setPressed(button, verdict, on) {
  button.setAttribute("aria-pressed", String(on));
  button.title = on ? PRESSED_NAMES[verdict] : ACTION_NAMES[verdict];
}
