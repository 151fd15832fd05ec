// Worst and best: where each restorer does worst and best by the chosen metric.

const casesPlace = document.querySelector("#cases .cases");
const CASES = 2;

function caseFigure(image, one, name, kind) {
  const all = columns();
  const value = scores(state.set, split(), name, one.name)[image];
  const own = all.find((column) => column.kind === "made" && column.name === one.name); // none: it hands out the LQ
  const shown = [all.find((column) => column.kind === "lq"), own, all.find((column) => column.kind === "hq")].filter(Boolean);
  return h(
    "button",
    { type: "button", class: "case", onclick: () => openFace(image, own?.name), title: `open ${set().samples[image]}` },
    h("span", { class: "trio" }, shown.map((column) => picture(image, column))),
    h("span", { class: "case-name" }, h("b", {}, written(value, name)), ` ${kind} · ${set().samples[image]}`),
  );
}

function drawCases() {
  const name = metric();
  const sign = known.metrics[name]?.higher ? 1 : -1;
  const rows = competitors()
    .filter((one) => !state.restorer || one.name === state.restorer)
    .map((one) => {
      const values = scores(state.set, split(), name, one.name);
      if (!values) return null;
      const sorted = [...values.keys()].filter((i) => Number.isFinite(values[i])).sort((a, b) => sign * (values[a] - values[b]) || a - b);
      if (!sorted.length) return null;
      const count = Math.min(CASES, Math.ceil(sorted.length / 2));
      const worst = sorted.slice(0, count);
      const best = sorted.slice(Math.max(count, sorted.length - count)).reverse();
      return h("div", { class: "case-row" }, h("h3", {}, one.name), h("div", { class: "case-list" }, worst.map((i) => caseFigure(i, one, name, "worst")), best.map((i) => caseFigure(i, one, name, "best"))));
    });
  casesPlace.replaceChildren(...rows.filter(Boolean));
}
if (casesPlace) watch(["set", "split", "metric", "restorer"], drawCases);
