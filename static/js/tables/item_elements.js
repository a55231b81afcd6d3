// Elements that show a recommended item, in the tables and in the list of saved items.

/** @import { CatalogueItem, Link } from "../messages.js" */

import { query, queryAll } from "../dom.js";

const ICONS_FILE = query(document, ".icon-button.others use", SVGUseElement).getAttribute("href")?.split("#")[0];

/**
 * Make an icon from static/img/actions.svg.
 * @param {string} name
 */
export function makeIcon(name) {
  const icon = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  icon.setAttribute("class", "icon");
  icon.setAttribute("aria-hidden", "true");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", `${ICONS_FILE}#${name}`);
  icon.append(use);
  return icon;
}

/**
 * Make a button with an icon for one item.
 * @param {{ icon: string, name: string, itemTitle: string }} options
 */
export function makeIconButton({ icon, name, itemTitle }) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "icon-button";
  button.title = name;
  button.setAttribute("aria-label", `${name}: ${itemTitle}`);
  button.append(makeIcon(icon));
  return button;
}

/**
 * Make a link to an item's page elsewhere, or to a search for it.
 * @param {Link} link
 * @param {Pick<CatalogueItem, "title">} item
 * @param {string} className
 * @param {string} text
 */
export function makeLink({ name, url }, item, className, text) {
  const link = document.createElement("a");
  link.className = className;
  link.href = url;
  link.target = "_blank";
  link.rel = "noreferrer";
  link.textContent = text;
  link.setAttribute("aria-label", text === name ? `${name}: ${item.title}` : `${item.title} on ${name}`);
  return link;
}

/**
 * Let the links of an item's row lead where the server says now. The title is the first link.
 * @param {HTMLElement} row
 * @param {Link[]} links
 */
export function updateLinks(row, links) {
  const urls = new Map(links.map(({ name, url }) => [name, url]));
  query(row, "a.title", HTMLAnchorElement).href = links[0].url;
  for (const link of queryAll(row, "a.search-link", HTMLAnchorElement)) link.href = urls.get(link.text) ?? link.href;
}

/**
 * @param {string} className
 * @param {string} text
 */
export function makeSpan(className, text) {
  const span = document.createElement("span");
  span.className = className;
  span.textContent = text;
  return span;
}
