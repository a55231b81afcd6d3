// What is kept of the visitor: the saved items, those that are never to be shown again, and the way to have everything forgotten.

import { makeIcon, makeLink } from "./tables.js";
import { tell } from "./tell.js";

const NOT_KEPT = "At present nothing can be kept: what you like and save counts while this page is open.";
const FORGOTTEN = "Everything is forgotten.";

const saved = { list: document.getElementById("saved"), verdict: "save", icon: "remove", name: "Remove" };
const hidden = { list: document.getElementById("hidden-list"), verdict: "hide", icon: "back", name: "Bring back" };
const empty = document.getElementById("saved-empty");
const heading = document.getElementById("saved-heading");
const hiddenItems = document.getElementById("hidden-items");
const hiddenCount = document.getElementById("hidden-count");
const away = document.getElementById("kept-away");
const dialog = document.getElementById("forget-dialog");

/** Show what is kept of the visitor, over this connection. */
export function openSaved(socket) {
  function show(taste) {
    lay(saved, taste.saved);
    lay(hidden, taste.hidden);
    saved.list.hidden = taste.saved.length === 0;
    empty.hidden = taste.saved.length > 0;
    hiddenItems.hidden = taste.hidden.length === 0;
    hiddenCount.textContent = taste.hidden.length;
    if (!taste.kept) tell(away, NOT_KEPT);
    else if (away.textContent === NOT_KEPT) tell(away, "");
  }

  function lay(where, items) {
    const { list } = where;
    const present = new Map([...list.children].map((row) => [`${row.dataset.kind}/${row.dataset.id}`, row]));
    items.forEach((item, index) => {
      const key = `${item.kind}/${item.id}`;
      const row = present.get(key) ?? make(where, item);
      present.delete(key);
      if (list.children[index] !== row) list.insertBefore(row, list.children[index] ?? null);
    });
    for (const gone of present.values()) gone.remove();
  }

  /** A row with what takes it off its list: off the saved ones, or off those that are never shown. */
  function make({ verdict, icon, name }, item) {
    const row = document.createElement("li");
    row.dataset.kind = item.kind;
    row.dataset.id = item.id;
    const [main, ...others] = item.links;
    const about = document.createElement("span");
    about.className = "about";
    about.textContent = item.about;
    const words = document.createElement("span");
    words.append(makeLink(main, item, "title", item.title), about);
    const remove = document.createElement("button");
    remove.type = "button";
    remove.className = "tool";
    remove.title = name;
    remove.setAttribute("aria-label", `${name}: ${item.title}`);
    remove.append(makeIcon(icon));
    remove.addEventListener("click", () => {
      const next = row.nextElementSibling ?? row.previousElementSibling;
      row.remove();
      (next?.querySelector("button") ?? heading).focus();
      socket.emit("feedback", { kind: item.kind, id: item.id, verdict, on: false });
    });
    row.append(words, ...others.map((link) => makeLink(link, item, "find", link.name)), remove);
    return row;
  }

  async function forget() {
    let answer;
    try {
      answer = await fetch("/api/my-data", { method: "DELETE", headers: { "X-Mood-Mirror": "1" } });
    } catch {
      answer = { ok: false };
    }
    if (!answer.ok) {
      tell(away, "Nothing could be deleted: the server can't reach what it keeps. Try again in a minute.", { aloud: true });
      return;
    }
    show({ kept: true, saved: [], hidden: [] });
    tell(away, FORGOTTEN, { aloud: true });
    socket.disconnect().connect(); // under the new anonymous number
  }

  socket.on("taste", show);
  document.getElementById("forget-me").addEventListener("click", () => dialog.showModal());
  dialog.addEventListener("close", () => {
    if (dialog.returnValue === "forget") forget();
    dialog.returnValue = "";
  });
}
