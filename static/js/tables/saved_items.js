// What the server stores for the visitor: saved and hidden items, and the deletion of everything.

/** @import { CatalogueItem, TastePayload } from "../messages.js" */
/** @import { ServerSocket } from "../types/socket.js" */
/** @typedef {{ list: HTMLElement, verdict: "save" | "hide", icon: string, name: string }} ItemList */

import { byId } from "../dom.js";
import { setStatus } from "../live_region.js";
import { makeIconButton, makeLink, makeSpan, updateLinks } from "./item_elements.js";

const STORAGE_UNAVAILABLE = "Nothing can be stored at the moment. What you like and save counts while this page is open.";
const DELETED = "Your data is deleted.";
const DELETION_FAILED = "Your data could not be deleted: the server cannot reach its database. Try again in a minute.";

/** @type {ItemList} */
const saved = { list: byId("saved-list", HTMLElement), verdict: "save", icon: "remove", name: "Remove" };
/** @type {ItemList} */
const hidden = { list: byId("hidden-list", HTMLElement), verdict: "hide", icon: "back", name: "Show again" };
const emptyState = byId("saved-empty", HTMLElement);
const heading = byId("saved-heading", HTMLElement);
const hiddenItems = byId("hidden-items", HTMLElement);
const hiddenCount = byId("hidden-count", HTMLElement);
const alert = byId("storage-alert", HTMLElement);
const dialog = byId("delete-dialog", HTMLDialogElement);

/**
 * Set up the list of saved items.
 * @param {ServerSocket} socket
 */
export function openSavedItems(socket) {
  /** @param {Pick<TastePayload, "kept" | "saved" | "hidden">} taste */
  function show(taste) {
    layOut(saved, taste.saved);
    layOut(hidden, taste.hidden);
    saved.list.hidden = taste.saved.length === 0;
    emptyState.hidden = taste.saved.length > 0;
    hiddenItems.hidden = taste.hidden.length === 0;
    hiddenCount.textContent = String(taste.hidden.length);
    if (!taste.kept) setStatus(alert, STORAGE_UNAVAILABLE);
    else if (alert.textContent === STORAGE_UNAVAILABLE) setStatus(alert, "");
  }

  /**
   * @param {ItemList} target
   * @param {CatalogueItem[]} items
   */
  function layOut(target, items) {
    const { list } = target;
    const rows = /** @type {HTMLElement[]} */ ([...list.children]);
    const present = new Map(rows.map((row) => [`${row.dataset.kind}/${row.dataset.id}`, row]));
    items.forEach((item, index) => {
      const key = `${item.kind}/${item.id}`;
      const row = present.get(key) ?? makeRow(target, item);
      present.delete(key);
      updateLinks(row, item.links);
      if (list.children[index] !== row) list.insertBefore(row, list.children[index] ?? null);
    });
    for (const row of present.values()) row.remove();
  }

  /**
   * Make a row with a button that removes the item from its list.
   * @param {ItemList} target
   * @param {CatalogueItem} item
   */
  function makeRow({ verdict, icon, name }, item) {
    const row = document.createElement("li");
    row.dataset.kind = item.kind;
    row.dataset.id = item.id;
    const [mainLink, ...otherLinks] = item.links;
    const info = document.createElement("span");
    info.append(makeLink(mainLink, item, "title", item.title), makeSpan("about", item.about));
    const remove = makeIconButton({ icon, name, itemTitle: item.title });
    remove.addEventListener("click", () => {
      const next = row.nextElementSibling ?? row.previousElementSibling;
      row.remove();
      (next?.querySelector("button") ?? heading).focus();
      socket.emit("feedback", { kind: item.kind, id: item.id, verdict, on: false });
    });
    row.append(info, ...otherLinks.map((link) => makeLink(link, item, "search-link", link.name)), remove);
    return row;
  }

  async function deleteData() {
    let deleted = false;
    try {
      deleted = (await fetch("/api/my-data", { method: "DELETE", headers: { "X-Mood-Mirror": "1" } })).ok;
    } catch {
      // the server is not reachable
    }
    if (!deleted) {
      setStatus(alert, DELETION_FAILED, { announce: true });
      return;
    }
    show({ kept: true, saved: [], hidden: [] });
    setStatus(alert, DELETED, { announce: true });
    socket.disconnect().connect(); // with the new anonymous number
  }

  socket.on("taste", show);
  byId("delete-data", HTMLButtonElement).addEventListener("click", () => dialog.showModal());
  dialog.addEventListener("close", () => {
    if (dialog.returnValue === "delete") deleteData();
    dialog.returnValue = "";
  });
}
