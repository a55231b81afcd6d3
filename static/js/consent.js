// Asks before a camera or a microphone is opened, each for itself. The answer is remembered for this tab's session alone.

const KINDS = ["camera", "microphone", "room"]; // the room's camera is the server's
const key = (kind) => `consent-${kind}`;

/** Ask for leave to open `kind`, unless it was given before. Resolves to "yes", "no", or "" where no answer was given. */
export function askConsent(kind) {
  if (sessionStorage.getItem(key(kind))) return Promise.resolve("yes");
  const dialog = document.getElementById(`consent-${kind}`);
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener(
      "close",
      () => {
        if (dialog.returnValue === "yes") sessionStorage.setItem(key(kind), "yes");
        resolve(dialog.returnValue);
      },
      { once: true },
    );
  });
}

/** Take back what was answered: whoever starts again is asked again. */
export function withdrawConsent() {
  for (const kind of KINDS) sessionStorage.removeItem(key(kind));
}
