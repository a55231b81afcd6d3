// Says something in a place of the page: always to the eye, and aloud, by a screen reader, where it is news.

/** Put words into an element; `aloud` also has them read out. */
export function tell(element, words, { aloud = false } = {}) {
  if (element.textContent === words) return; // a live region speaks at every change
  element.setAttribute("aria-live", aloud ? "polite" : "off");
  element.textContent = words;
}
