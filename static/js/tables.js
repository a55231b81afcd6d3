// The four tables. Rows are updated in place: a row that stays keeps its element, and while one points at a table, has the
// keyboard in it or scrolls, nothing in it changes its place; what has come meanwhile is shown afterwards.

import { tell } from "./tell.js";

const ROWS = 10;
const STILL = { scroll: 700, touch: 4000 }; // ms after the page was scrolled, or a row touched, before rows may move
const CAN_HOVER = matchMedia("(hover: hover)"); // where nothing can, a finger that left still counts as being there
const ICONS = document.querySelector(".tool.others use").getAttribute("href").split("#")[0];
const ACTIONS = {
  like: { name: "Like", pressed: "Liked" },
  save: { name: "Save", pressed: "Saved" },
  skip: { name: "Not now", told: "Not now" },
  hide: { name: "Never show again", told: "Hidden" },
};

let stillAt = -Infinity; // from when on rows may move
const wait = (pause) => (stillAt = Math.max(stillAt, performance.now() + pause));
document.addEventListener("scroll", () => wait(STILL.scroll), { passive: true });
for (const event of ["touchstart", "touchmove"]) {
  const hold = ({ target }) => {
    if (target.closest?.(".tables table")) wait(STILL.touch);
    else if (event === "touchstart") stillAt = -Infinity; // a finger that turns to a choice wants to see what it does
  };
  document.addEventListener(event, hold, { passive: true });
}

/** Make the tables of the page. Returns what shows rows by kind, as the server sends them. */
export function openTables(socket) {
  const tables = new Map(
    [...document.querySelectorAll(".tables table")].map((table) => [table.id, new Table(table, socket)]),
  );
  for (const button of document.querySelectorAll(".tool.others")) {
    button.addEventListener("click", () => socket.emit("others", button.dataset.kind));
  }
  return (rows) => {
    for (const [kind, table] of tables) {
      if (kind in rows) table.show(rows[kind]);
      else table.clear();
    }
  };
}

class Table {
  #kind;
  #table;
  #body;
  #empty;
  #undo;
  #socket;
  #items = []; // what the server sent last
  #invitation; // what stands in an empty table's place
  #dismissed = new Set(); // ids that were just skipped or hidden
  #timer = null;

  constructor(table, socket) {
    this.#kind = table.id;
    this.#table = table;
    this.#body = table.tBodies[0];
    this.#empty = table.parentElement.querySelector(".empty");
    this.#invitation = this.#empty.textContent;
    this.#undo = document.getElementById(`${table.id}-undo`);
    this.#socket = socket;
    const release = () => setTimeout(() => this.show(this.#items));
    table.addEventListener("mouseleave", release);
    table.addEventListener("focusout", release);
  }

  /** Show the server's rows, or as much of them as can be shown without moving what is being read. */
  show(items) {
    this.#items = items;
    clearTimeout(this.#timer);
    const wait = stillAt - performance.now();
    if (wait > 0) this.#timer = setTimeout(() => this.show(this.#items), wait);
    const wanted = items.filter((item) => !this.#dismissed.has(item.id));
    const held = this.#body.rows.length > 0 && (wait > 0 || this.#isInUse());
    this.#lay(held ? this.#around(wanted) : wanted.map((item) => item.id), new Map(wanted.map((item) => [item.id, item])));
    for (const id of this.#dismissed) if (!items.some((item) => item.id === id)) this.#dismissed.delete(id);
    if (items.length === 0) this.#empty.textContent = "Nothing passes these filters. Loosen one, and the list fills again.";
    this.#table.hidden = items.length === 0;
    this.#empty.hidden = items.length > 0;
  }

  /** Be empty, for nothing is known of what to show. */
  clear() {
    this.#items = [];
    clearTimeout(this.#timer);
    this.#body.replaceChildren();
    this.#empty.textContent = this.#invitation;
    this.#table.hidden = true;
    this.#empty.hidden = false;
  }

  /** Whether a pointer is on the table, or the keyboard in it. */
  #isInUse() {
    return (CAN_HOVER.matches && this.#table.matches(":hover")) || this.#table.querySelector(":focus-visible") !== null;
  }

  /** The ids of the present rows where they are, and new ones below as far as there is room. */
  #around(wanted) {
    const present = [...this.#body.rows].map((row) => row.dataset.id).filter((id) => !this.#dismissed.has(id));
    const others = wanted.map((item) => item.id).filter((id) => !present.includes(id));
    return [...present, ...others].slice(0, Math.max(ROWS, present.length));
  }

  #lay(ids, items) {
    const present = new Map([...this.#body.rows].map((row) => [row.dataset.id, row]));
    ids.forEach((id, index) => {
      const row = present.get(id) ?? this.#make(items.get(id));
      present.delete(id);
      if (items.has(id)) update(row, items.get(id));
      if (this.#body.rows[index] !== row) this.#body.insertBefore(row, this.#body.rows[index] ?? null);
    });
    for (const gone of present.values()) gone.remove();
  }

  #make(item) {
    const row = document.createElement("tr");
    row.dataset.id = item.id;
    row.className = "new";
    row.addEventListener("animationend", () => row.classList.remove("new")); // a row that only moves does not arrive again
    const [main, ...others] = item.links;
    const about = document.createElement("th");
    about.scope = "row";
    about.append(makeLink(main, item, "title", item.title));
    about.append(makeSpan("about", item.about), makeSpan("line", item.line), makeSpan("why", item.why));
    const details = document.createElement("ul");
    details.className = "details";
    details.id = `why-${this.#kind}-${item.id}`;
    details.hidden = true;
    const tools = document.createElement("td");
    tools.append(...[main, ...others].map((link) => makeLink(link, item, "find", link.name)));
    const actions = document.createElement("span");
    actions.className = "actions";
    for (const [verdict, { name }] of Object.entries(ACTIONS)) {
      const button = makeButton(verdict, name, item.title);
      button.addEventListener("click", () => this.#act(row, item, verdict, button));
      actions.append(button);
    }
    const why = makeButton("why", "Why this", item.title);
    why.setAttribute("aria-expanded", "false");
    why.setAttribute("aria-controls", details.id);
    why.addEventListener("click", () => {
      details.hidden = !details.hidden;
      why.setAttribute("aria-expanded", String(!details.hidden));
    });
    actions.append(why);
    tools.append(actions);
    about.append(details);
    row.append(about, tools);
    for (const link of row.querySelectorAll("a")) link.addEventListener("click", () => this.#send(item, "play", true));
    return row;
  }

  #act(row, item, verdict, button) {
    if (verdict === "like" || verdict === "save") {
      const on = button.getAttribute("aria-pressed") !== "true";
      press(button, on);
      this.#send(item, verdict, on);
      return;
    }
    const next = row.nextElementSibling ?? row.previousElementSibling;
    const hadKeyboard = row.querySelector(":focus-visible") !== null;
    this.#dismissed.add(item.id);
    row.remove();
    if (hadKeyboard) next?.querySelector(`[data-verdict="${verdict}"]`).focus();
    this.#send(item, verdict, true);
    this.#offerUndo(item, verdict);
  }

  #offerUndo(item, verdict) {
    const undo = document.createElement("button");
    undo.type = "button";
    undo.className = "small";
    undo.textContent = "Undo";
    undo.addEventListener("click", () => {
      this.#dismissed.delete(item.id);
      this.#send(item, verdict, false);
      this.#undo.replaceChildren();
    });
    this.#undo.replaceChildren(`${ACTIONS[verdict].told}: ${item.title} `, undo);
  }

  #send(item, verdict, on) {
    this.#socket.emit("feedback", { kind: this.#kind, id: item.id, verdict, on }, (answer) => {
      if (answer.error) tell(this.#undo, answer.error, { aloud: true });
    });
  }
}

function update(row, item) {
  row.querySelector(".why").textContent = item.why; // the mood it is measured by may have changed
  row.querySelector(".details").replaceChildren(
    ...item.details.map((words) => {
      const detail = document.createElement("li");
      detail.textContent = words;
      return detail;
    }),
  );
  press(row.querySelector('[data-verdict="like"]'), item.liked);
  press(row.querySelector('[data-verdict="save"]'), item.saved);
}

function press(button, on) {
  button.setAttribute("aria-pressed", String(on));
  const { name, pressed } = ACTIONS[button.dataset.verdict];
  button.title = on ? pressed : name;
}

function makeButton(verdict, name, title) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "tool";
  button.dataset.verdict = verdict;
  button.title = name;
  button.setAttribute("aria-label", `${name}: ${title}`);
  button.append(makeIcon(verdict));
  return button;
}

/** A picture of static/img/actions.svg. */
export function makeIcon(name) {
  const icon = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  icon.setAttribute("class", "icon");
  icon.setAttribute("aria-hidden", "true");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", `${ICONS}#${name}`);
  icon.append(use);
  return icon;
}

/** A link to where an item can be looked up. */
export function makeLink({ name, url }, item, className, text) {
  const link = document.createElement("a");
  link.className = className;
  link.href = url;
  link.target = "_blank";
  link.rel = "noreferrer";
  link.textContent = text;
  link.setAttribute("aria-label", text === name ? `${name}: ${item.title}` : `${item.title}: search on ${name}`);
  return link;
}

function makeSpan(className, text) {
  const span = document.createElement("span");
  span.className = className;
  span.textContent = text;
  return span;
}
