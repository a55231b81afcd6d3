// Typed access to the elements of the page.

/**
 * Return the element with an id. Throws an Error if there is none of this class: templates and scripts do not match then.
 * @template {Element} T
 * @param {string} id
 * @param {new () => T} type
 * @returns {T}
 */
export function byId(id, type) {
  const element = document.getElementById(id);
  if (!(element instanceof type)) throw new Error(`the page has no ${type.name} with the id ${id}`);
  return element;
}

/**
 * Return the first element within `root` that a selector matches. Throws an Error if there is none of this class.
 * @template {Element} T
 * @param {ParentNode} root
 * @param {string} selector
 * @param {new () => T} type
 * @returns {T}
 */
export function query(root, selector, type) {
  const element = root.querySelector(selector);
  if (!(element instanceof type)) throw new Error(`no ${type.name} matches ${selector}`);
  return element;
}

/**
 * Return all elements of a class within `root` that a selector matches, in document order.
 * @template {Element} T
 * @param {ParentNode} root
 * @param {string} selector
 * @param {new () => T} type
 * @returns {T[]}
 */
export function queryAll(root, selector, type) {
  return [...root.querySelectorAll(selector)].filter(/** @returns {element is T} */ (element) => element instanceof type);
}

/**
 * Return a canvas's 2D context. Throws an Error where the browser has none.
 * @param {HTMLCanvasElement} canvas
 */
export function context2d(canvas) {
  const context = canvas.getContext("2d");
  if (!context) throw new Error("this browser cannot draw on a canvas");
  return context;
}
