// Status texts, which screen readers announce where asked to.

/**
 * Set an element's text; with `announce`, screen readers read it out.
 * @param {HTMLElement} element
 * @param {string} text
 */
export function setStatus(element, text, { announce = false } = {}) {
  if (element.textContent === text) return; // a live region is read out at every change
  element.setAttribute("aria-live", announce ? "polite" : "off");
  element.textContent = text;
}
