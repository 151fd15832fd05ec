// The leaderboard: sorted by its headings, filtered by name, turned by the switch.

const isLast = (row, value) => (row.classList.contains("unranked") ? 2 : value === "" ? 1 : 0);

/** Rows move within their split; rows without a value, and rows that do not compete, stay last. */
function sortBody(body, column, sign) {
  const rows = [...body.rows].filter((row) => !row.classList.contains("split"));
  const text = (row) => row.cells[column]?.dataset.sort ?? "";
  const value = (row) => number(text(row) === "inf" || text(row) === "-inf" ? text(row) : Number(text(row)));
  const compare = column === 0 ? (a, b) => text(a).localeCompare(text(b)) : (a, b) => value(a) - value(b) || 0;
  rows.sort((a, b) => isLast(a, text(a)) - isLast(b, text(b)) || sign * compare(a, b));
  body.append(...rows);
}

function sortable(table) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    const button = head.querySelector("button");
    button?.addEventListener("click", () => {
      const opposite = { ascending: "descending", descending: "ascending" };
      const order = opposite[head.getAttribute("aria-sort")] || button.dataset.first;
      for (const other of heads) if (other.hasAttribute("aria-sort")) other.setAttribute("aria-sort", "none");
      head.setAttribute("aria-sort", order);
      for (const body of table.tBodies) sortBody(body, column, order === "ascending" ? 1 : -1);
    });
  });
}

const boards = [...document.querySelectorAll("table.board")];
const places = boards.map((table) => {
  const found = new Map();
  for (const value of table.querySelectorAll("td[data-metric]")) {
    value.dataset.split = value.closest("tbody").dataset.split;
    value.dataset.restorer = value.closest("tr").dataset.restorer;
    found.set(`${value.dataset.split}\n${value.dataset.restorer}\n${value.dataset.metric}`, value);
  }
  sortable(table);
  return found;
});
const turned = boards.map((table) => {
  const other = h("table", { class: "board turned", hidden: true });
  table.after(other);
  return other;
});

function heading(text, first, label = text) {
  const button = h("button", { type: "button", "data-first": first, title: `sort by ${label}` }, text);
  return h("th", { scope: "col", "aria-sort": "none", class: text === label ? null : "number" }, button);
}

/** With a metric or a restorer fixed, the table has what is free as its rows and columns. */
function turn() {
  const table = boards[state.set];
  const other = turned[state.set];
  if (!table) return;
  const fixed = state.metric || state.restorer;
  table.hidden = Boolean(fixed);
  other.hidden = !fixed;
  for (const body of table.tBodies) body.hidden = Boolean(state.split) && body.dataset.split !== state.split;
  if (fixed) fill(other);
  filter();
}

function fill(table) {
  const splits = state.split ? [state.split] : set().splits;
  const metrics = state.metric ? [state.metric] : set().metrics;
  const byRestorer = Boolean(state.restorer);
  const rows = byRestorer ? splits : set().restorers.map((one) => one.name);
  const columns = byRestorer ? metrics : splits;
  const of = (row, column) =>
    byRestorer ? [row, state.restorer, column] : [column, row, state.metric];
  const first = (name) => (known.metrics[byRestorer ? name : state.metric].higher ? "descending" : "ascending");
  const heads = columns.map((name) => heading(byRestorer ? titled(name) : name, first(name), `${name} `));
  heads.forEach((head, i) => (head.dataset.metric = byRestorer ? columns[i] : state.metric));
  const corner = heading(byRestorer ? "Split" : "Restorer", "ascending");
  const title = [state.restorer, state.metric && titled(state.metric)].filter(Boolean).join(" · ");
  const body = h("tbody");
  for (const row of rows) {
    const found = columns.map((column) => places[state.set].get(of(row, column).join("\n")));
    if (!found.some(Boolean)) continue;
    const unranked = !byRestorer && !set().restorers.find((one) => one.name === row).ranked;
    const label = h("th", { scope: "row", "data-sort": byRestorer ? String(rows.indexOf(row)).padStart(4, "0") : row }, row);
    const values = found.map((value) => value?.cloneNode(true) ?? h("td", { class: "number", "data-sort": "" }, "–"));
    body.append(h("tr", { class: unranked ? "unranked" : null, "data-restorer": byRestorer ? state.restorer : row }, label, values));
  }
  table.replaceChildren(h("caption", {}, title), h("thead", {}, h("tr", {}, corner, heads)), body);
  sortable(table);
}

// Filter by name; hide columns.
const wanted = h("input", { type: "search", placeholder: "Filter restorers", "aria-label": "Filter restorers" });
const only = h("input", { type: "checkbox" });
const shown = h("output", { class: "small", "aria-live": "polite" });
const columnList = h("div", { class: "menu" });
const columnMenu = h("details", { class: "columns" }, h("summary", {}, "Columns"), columnList);
const hiddenColumns = new Set();

function filter() {
  const words = wanted.value.toLowerCase().split(/\s+/).filter(Boolean);
  let left = 0;
  let all = 0;
  for (const table of [boards[state.set], turned[state.set]]) {
    if (!table || table.hidden) continue;
    for (const row of table.querySelectorAll("tbody tr[data-restorer]")) {
      const name = row.dataset.restorer.toLowerCase();
      const out = (only.checked && row.classList.contains("unranked")) || !words.every((word) => name.includes(word));
      row.hidden = out;
      if (!row.parentElement.hidden) [left, all] = [left + !out, all + 1];
    }
    for (const value of table.querySelectorAll("[data-metric]"))
      value.hidden = table === boards[state.set] && hiddenColumns.has(value.dataset.metric);
  }
  shown.textContent = left < all ? `${left} of ${all} rows` : "";
}
function drawColumns() {
  const boxes = set().metrics.map((name) => {
    const box = h("input", { type: "checkbox" });
    box.checked = !hiddenColumns.has(name);
    box.addEventListener("change", () => {
      hiddenColumns[box.checked ? "delete" : "add"](name);
      filter();
    });
    return h("label", {}, box, known.metrics[name].label);
  });
  columnList.replaceChildren(...boxes);
}
wanted.addEventListener("input", filter);
only.addEventListener("change", filter);
const filters = document.getElementById("filters");
filters.append(wanted, h("label", {}, only, "competitors only"), columnMenu, shown);
filters.hidden = false;
watch(["set"], drawColumns);
watch(["set", "split", "metric", "restorer"], turn);

// Failures have a filter of their own.
const failureTable = document.querySelector("#failures table");
if (failureTable) {
  const search = h("input", { type: "search", placeholder: "Filter failures", "aria-label": "Filter failures" });
  search.addEventListener("input", () => {
    const text = search.value.toLowerCase();
    for (const row of failureTable.tBodies[0].rows) row.hidden = !row.textContent.toLowerCase().includes(text);
  });
  const place = document.querySelector("#failures .controls");
  place.append(search);
  place.hidden = false;
}
