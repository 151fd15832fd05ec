"use strict";

// Sorting: rows move within their split; rows without a value, and rows that do not compete, stay last.
for (const table of document.querySelectorAll("table.board")) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    const button = head.querySelector("button");
    button.addEventListener("click", () => {
      const now = head.getAttribute("aria-sort");
      const opposite = { ascending: "descending", descending: "ascending" };
      const order = opposite[now] || button.dataset.first;
      heads.forEach((other) => other.setAttribute("aria-sort", "none"));
      head.setAttribute("aria-sort", order);
      for (const body of table.tBodies) sort(body, column, order === "ascending" ? 1 : -1);
    });
  });
}

function sort(body, column, sign) {
  const rows = [...body.rows].filter((row) => !row.classList.contains("split"));
  const text = (row) => row.cells[column].dataset.sort;
  const number = (row) => (text(row) === "inf" ? Infinity : text(row) === "-inf" ? -Infinity : Number(text(row)));
  const last = (row) => (row.classList.contains("unranked") ? 2 : text(row) === "" ? 1 : 0);
  const compare = column === 0 ? (a, b) => text(a).localeCompare(text(b)) : (a, b) => number(a) - number(b) || 0;
  rows.sort((a, b) => last(a) - last(b) || sign * compare(a, b));
  body.append(...rows);
}

// Splits of the pictures become tabs; without this script all of them are shown.
for (const galleries of document.querySelectorAll(".galleries")) {
  const panels = [...galleries.querySelectorAll(".gallery")];
  if (panels.length < 2) continue;
  galleries.classList.add("tabbed");
  const tabs = document.createElement("div");
  tabs.className = "tabs";
  tabs.setAttribute("role", "tablist");
  tabs.setAttribute("aria-label", "Split");
  const buttons = panels.map((panel, index) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = panel.dataset.split;
    button.setAttribute("role", "tab");
    panel.setAttribute("role", "tabpanel");
    panel.setAttribute("aria-label", panel.dataset.split);
    button.addEventListener("click", () => show(index));
    button.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (step) show((index + step + panels.length) % panels.length, true);
    });
    tabs.append(button);
    return button;
  });
  function show(chosen, focus = false) {
    panels.forEach((panel, index) => (panel.hidden = index !== chosen));
    buttons.forEach((button, index) => {
      button.setAttribute("aria-selected", String(index === chosen));
      button.tabIndex = index === chosen ? 0 : -1;
    });
    if (focus) buttons[chosen].focus();
  }
  galleries.prepend(tabs);
  show(panels.length - 1);
}

// Enlarged pictures: arrow keys flip between the restorers of one image, at the same place.
const zoom = document.getElementById("zoom");
let row = [];
let place = 0;
function enlarge() {
  const tile = row[place];
  const image = tile.querySelector("img");
  zoom.querySelector("img").src = image.src;
  zoom.querySelector("img").alt = image.alt;
  zoom.querySelector("figcaption").textContent = `${tile.dataset.column}, ${tile.dataset.sample}`;
}
for (const tile of document.querySelectorAll("button.tile")) {
  tile.addEventListener("click", () => {
    row = [...tile.closest("tr").querySelectorAll("button.tile")];
    place = row.indexOf(tile);
    enlarge();
    zoom.showModal();
  });
}
zoom.addEventListener("keydown", (event) => {
  const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  if (!step) return;
  place = (place + step + row.length) % row.length;
  enlarge();
});
zoom.addEventListener("click", (event) => {
  if (event.target === zoom || event.target.closest(".close")) zoom.close();
});
