// Pairs of restorers: the test behind every tier, and the diagram of mean ranks.

const pairsPlace = document.querySelector("#pairs");

function signed(value, metric) {
  return isNumber(value) ? `${value > 0 ? "+" : ""}${written(value, metric)}` : written(number(value), metric);
}
function drawPairs() {
  const name = state.metric || metric();
  const rows = set().pairs.filter((row) => row[0] === split() && row[1] === name && (!state.restorer || row[2] === state.restorer || row[3] === state.restorer));
  let drawn = 0;
  for (const figure of pairsPlace.querySelectorAll("figure.ranks")) {
    const own = figure.closest(".set");
    const on = Number(own.dataset.set) === state.set && figure.dataset.split === split() && figure.dataset.metric === name;
    figure.hidden = !on;
    drawn += on;
  }
  pairsPlace.querySelector(".ranked").hidden = !drawn;
  const place = pairsPlace.querySelector(".pair-table");
  if (!rows.length) return place.replaceChildren(h("p", { class: "small" }, "No pair of ranked restorers has scores of the same images by this metric here."));
  const titles = ["First", "Second", "n", "Difference", "95 % interval", "p, corrected", "r", "d", "Needed", "Better"];
  const head = titles.map((title, i) => h("th", { scope: "col", class: i > 1 && i < 9 ? "number" : null }, title));
  const body = rows.map(([, , first, second, n, mean, low, high, p, better, r, dz, needed]) =>
    h(
      "tr",
      {},
      h("th", { scope: "row" }, first),
      h("td", {}, second),
      [String(n), signed(mean, name), low == null ? "–" : `${signed(low, name)} to ${signed(high, name)}`, p < 0.001 ? "< 0.001" : p.toFixed(3), isNumber(r) ? r.toFixed(2) : "–", isNumber(dz) ? dz.toFixed(2) : "–", needed == null ? "–" : needed.toLocaleString("en")].map((text) => h("td", { class: "number" }, text)),
      h("td", {}, better ? h("b", { class: "best" }, better) : "not separable"),
    ),
  );
  place.replaceChildren(h("table", { class: "plain" }, h("caption", { class: "hidden" }, `Pairs by ${titled(name)} on ${split()}`), h("thead", {}, h("tr", {}, head)), h("tbody", {}, body)));
}
if (pairsPlace) watch(["set", "split", "metric", "restorer"], drawPairs);
