// Shows the four tables, in place: a row that stays keeps its element, so nothing that one reads or points at is lost.

/** Show rows by kind, as the server sends them. */
export function showTables(tables) {
  for (const [kind, rows] of Object.entries(tables)) showTable(document.getElementById(kind), rows);
}

function showTable(table, rows) {
  const body = table.tBodies[0];
  const present = new Map([...body.rows].map((row) => [row.dataset.id, row]));
  rows.forEach((item, index) => {
    const row = present.get(item.id) ?? makeRow(item);
    row.querySelector(".why").textContent = item.why; // the mood it is measured by may have changed
    present.delete(item.id);
    if (body.rows[index] !== row) body.insertBefore(row, body.rows[index] ?? null);
  });
  for (const gone of present.values()) gone.remove();
  table.hidden = false;
  table.previousElementSibling.hidden = true; // the invitation of the empty table
}

function makeRow(item) {
  const row = document.createElement("tr");
  row.dataset.id = item.id;
  row.className = "new";
  row.addEventListener("animationend", () => row.classList.remove("new")); // a row that only moves does not arrive again
  const [main, ...others] = item.links;
  const about = document.createElement("th");
  about.scope = "row";
  about.append(makeLink(main, item, "title", item.title));
  about.append(makeSpan("about", item.about), makeSpan("line", item.line), makeSpan("why", item.why));
  const find = document.createElement("td");
  find.append(...others.map((link) => makeLink(link, item, "find", link.name)));
  row.append(about, find);
  return row;
}

function makeLink({ name, url }, item, className, text) {
  const link = document.createElement("a");
  link.className = className;
  link.href = url;
  link.target = "_blank";
  link.rel = "noreferrer";
  link.textContent = text;
  link.setAttribute("aria-label", `${item.title}: search on ${name}`);
  return link;
}

function makeSpan(className, text) {
  const span = document.createElement("span");
  span.className = className;
  span.textContent = text;
  return span;
}
