// Help for a person in a crisis: the notice above everything, and the lists that show only what comforts.

/** @import { HelpPayload } from "./messages.js" */
/** @import { ServerSocket } from "./types/socket.js" */

import { byId, queryAll } from "./dom.js";

const notice = byId("help-notice", HTMLElement);
const heading = byId("help-heading", HTMLElement);
const announcement = byId("help-announcement", HTMLElement);
const country = byId("help-country", HTMLSelectElement);
const emergency = byId("help-emergency", HTMLAnchorElement);
const emergencyUnknown = byId("help-emergency-unknown", HTMLElement);
const safeTablesNote = byId("safe-tables-note", HTMLElement);
const lists = queryAll(notice, ".help-lines", HTMLElement);

/**
 * Set up the notice. It stays until the visitor closes it, and the lists show only what comforts until the visitor chooses
 * otherwise.
 *
 * Returns `showStatement` for a file whose text states a crisis, `showLow` for a mood that has been very low for minutes,
 * `show` for the server's message, and `resend` for a new connection.
 * @param {ServerSocket} socket
 */
export function openHelpNotice(socket) {
  let safeTables = false;
  /** @type {Element | null} */
  let focused = null; // what had the focus before the notice took it

  /** @param {"statement" | "low"} reason */
  function open(reason) {
    if (reason === "low" && !notice.hidden) return; // the more urgent words stay
    notice.dataset.reason = reason;
    notice.hidden = false;
    const numbers = lists.find((list) => !list.hidden)?.querySelector(".call")?.textContent ?? "";
    announcement.textContent = `${heading.textContent}. ${numbers} Help is shown at the top of this page.`;
    // Whoever is writing keeps the focus, or the next key would go elsewhere.
    if (document.activeElement instanceof HTMLTextAreaElement || document.activeElement instanceof HTMLInputElement) return;
    focusHeading();
  }

  function focusHeading() {
    focused = document.activeElement;
    heading.focus();
  }

  function close() {
    const hadFocus = notice.contains(document.activeElement);
    notice.hidden = true;
    announcement.textContent = "";
    if (!hadFocus) return;
    if (focused instanceof HTMLElement && focused.isConnected && focused !== document.body) focused.focus();
    else byId("text-input", HTMLTextAreaElement).focus();
  }

  /** @param {boolean} on */
  function setSafeTables(on) {
    safeTables = on;
    safeTablesNote.hidden = !on;
  }

  function showCountry() {
    let number = "";
    for (const list of lists) {
      list.hidden = list.dataset.country !== country.value;
      if (!list.hidden) number = list.dataset.emergency ?? "";
    }
    emergency.href = `tel:${number}`;
    emergency.textContent = number;
    emergency.hidden = number === "";
    emergencyUnknown.hidden = number !== "";
  }

  country.addEventListener("change", showCountry);
  byId("help-close", HTMLButtonElement).addEventListener("click", close);
  notice.addEventListener("keydown", (event) => {
    if (event.key === "Escape") close();
  });
  byId("help-reopen", HTMLButtonElement).addEventListener("click", () => {
    open("statement");
    focusHeading();
  });
  byId("safe-tables-off", HTMLButtonElement).addEventListener("click", () => {
    setSafeTables(false);
    socket.emit("safe_tables", false);
    byId("tables", HTMLElement).focus();
  });

  return {
    showStatement() {
      open("statement");
      setSafeTables(true);
      socket.emit("safe_tables", true);
    },
    /** @param {boolean} low */
    showLow(low) {
      if (low) open("low");
    },
    /** @param {HelpPayload} payload */
    show({ statement, safe_tables }) {
      setSafeTables(safe_tables);
      if (statement) open("statement");
    },
    resend() {
      if (safeTables) socket.emit("safe_tables", true);
    },
  };
}
