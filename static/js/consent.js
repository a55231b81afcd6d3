// Asks for consent before a camera or a microphone is opened, separately for each. Answers hold for this tab's session only.

import { byId } from "./dom.js";

/** @typedef {"camera" | "microphone" | "room"} ConsentKind "room" is the server's camera */

/** @type {ConsentKind[]} */
const KINDS = ["camera", "microphone", "room"];

/** @param {ConsentKind} kind */
const storageKey = (kind) => `consent-${kind}`;

/**
 * Ask for consent to open `kind`, unless it was given before. Resolves to "yes", "no", or "" if the dialog was dismissed.
 * @param {ConsentKind} kind
 * @returns {Promise<string>}
 */
export function askConsent(kind) {
  if (sessionStorage.getItem(storageKey(kind))) return Promise.resolve("yes");
  const dialog = byId(`consent-${kind}`, HTMLDialogElement);
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener(
      "close",
      () => {
        if (dialog.returnValue === "yes") sessionStorage.setItem(storageKey(kind), "yes");
        resolve(dialog.returnValue);
      },
      { once: true },
    );
  });
}

/** Delete all stored answers: the next start asks again. */
export function withdrawConsent() {
  for (const kind of KINDS) sessionStorage.removeItem(storageKey(kind));
}
