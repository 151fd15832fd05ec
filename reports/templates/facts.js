// What is behind a number: shown beside its cell on hover, focus or tap.

const tip = document.getElementById("tip");
let tipFor = null;

function line(term, ...value) {
  return value.length && value.some(Boolean) ? [h("dt", {}, term), h("dd", {}, ...value)] : [];
}
const range = (one, metric) => (one.low == null ? "" : `${written(one.low, metric)} to ${written(one.high, metric)}`);
const weightsOf = (list) =>
  list.map(([name, sha256, licence]) => h("div", {}, `${name}, `, h("code", {}, sha256.slice(0, 12)), `, ${licence}`));

function factsOf(value) {
  const { split, restorer, metric } = value.dataset;
  const one = cell(state.set, split, restorer, metric);
  if (!one) return null;
  const about = known.metrics[metric];
  const maker = known.restorers[restorer];
  const standing = one.rank == null ? "not ranked" : `${one.rank}${one.tier == null ? "" : `, tier ${one.tier}`}`;
  const images = `${one.n}${one.seeds > 1 ? `, ${one.seeds} seeds each` : ""}`;
  const data = `${set().name} ${one.data}${one.lq ? `, LQ ${one.lq}` : ""}`;
  return [
    h("p", { class: "tip-title" }, h("b", {}, restorer), ` · ${split} · ${about.label}`),
    h("p", { class: "tip-value" }, written(one.value, metric), about.unit ? ` ${about.unit}` : "", h("span", {}, range(one, metric))),
    h(
      "dl",
      {},
      line("rank", standing),
      line("n", images),
      line("failures", String(one.failed)),
      line("note", one.note),
      line("metric", h("code", {}, about.identity)),
      line("its weights", ...weightsOf(about.weights)),
      line("restorer", h("code", {}, maker?.identity ?? "")),
      line("its weights", ...weightsOf(maker?.weights ?? []), maker?.weights.length ? "" : (maker?.licence ?? "")),
      line("data", h("code", {}, data)),
    ),
  ];
}

function showTip(value) {
  const facts = factsOf(value);
  if (!facts) return;
  hideTip();
  tipFor = value;
  value.setAttribute("aria-describedby", "tip");
  tip.replaceChildren(...facts);
  tip.hidden = false;
  const box = value.getBoundingClientRect();
  const room = document.documentElement.clientWidth;
  const left = Math.max(8, Math.min(box.left, room - tip.offsetWidth - 8));
  const below = box.bottom + 8 + tip.offsetHeight < window.innerHeight || box.top < tip.offsetHeight + 8;
  tip.style.left = `${left + window.scrollX}px`;
  tip.style.top = `${(below ? box.bottom + 6 : box.top - tip.offsetHeight - 6) + window.scrollY}px`;
}
function hideTip() {
  tipFor?.removeAttribute("aria-describedby");
  tipFor = null;
  tip.hidden = true;
}

const valueOf = (event) => event.target.closest?.(".board td[data-metric]");
const board = document.getElementById("leaderboard");
board.addEventListener("pointerover", (event) => {
  const value = valueOf(event);
  if (event.pointerType === "mouse" && value !== tipFor) value ? showTip(value) : hideTip();
});
board.addEventListener("pointerleave", () => document.activeElement !== tipFor && hideTip());
board.addEventListener("click", (event) => valueOf(event) && showTip(valueOf(event)));
board.addEventListener("focusin", (event) => (valueOf(event) ? showTip(valueOf(event)) : hideTip()));
board.addEventListener("focusout", hideTip);
document.addEventListener("keydown", (event) => event.key === "Escape" && hideTip());
document.addEventListener("pointerdown", (event) => !event.target.closest(".board, .tip") && hideTip());

// One cell of a table is in the tab order; arrow keys move from cell to cell.
function visible(table) {
  return [...table.rows]
    .filter((row) => row.offsetParent && row.querySelector("td[data-metric]"))
    .map((row) => [...row.querySelectorAll("td[data-metric]")].filter((value) => !value.hidden));
}
function rove() {
  for (const table of document.querySelectorAll("table.board")) {
    const all = visible(table).flat();
    if (all.length && !all.some((value) => value.tabIndex === 0)) all[0].tabIndex = 0;
  }
}
const STEPS = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
board.addEventListener("keydown", (event) => {
  const value = valueOf(event);
  const step = STEPS[event.key];
  if (!value || !step) return;
  event.preventDefault();
  const rows = visible(value.closest("table"));
  const row = rows.findIndex((one) => one.includes(value));
  const next = rows[row + step[0]]?.[rows[row].indexOf(value) + step[1]];
  if (!next) return;
  value.tabIndex = -1;
  next.tabIndex = 0;
  next.focus();
});
watch(["set", "split", "metric", "restorer"], rove);
