// Trade-off: two metrics, or a cost, against each other, with the Pareto front.

const COSTS = [
  ["seconds", "seconds per image", 3],
  ["parameters", "parameters", 4],
  ["gflops", "GFLOPs per image", 5],
  ["memory", "memory (MiB)", 6],
];
const axes = { x: "", y: "" };
const tradeoff = document.querySelector("#tradeoff");

/** A point's coordinate: [value, low, high]. */
function along(axis, restorer) {
  const cost = COSTS.find(([name]) => `cost:${name}` === axis);
  if (cost) {
    const own = set().costs.filter((row) => row[0] === restorer && row[1] === split() && isNumber(row[cost[2]]));
    return own.length ? [Math.max(...own.map((row) => row[cost[2]]))] : [];
  }
  const one = cell(state.set, split(), restorer, axis);
  return one && isNumber(one.value) ? [one.value, one.low, one.high] : [];
}
const higher = (axis) => Boolean(known.metrics[axis]?.higher);
const axisTitle = (axis) =>
  axis.startsWith("cost:") ? `${COSTS.find(([name]) => `cost:${name}` === axis)[1]} ↓` : titled(axis);

/** The same rule as reports/pareto.py: nobody is at least as good on both axes and better on one. */
function front(points) {
  const [sx, sy] = [higher(axes.x) ? 1 : -1, higher(axes.y) ? 1 : -1];
  const beats = (a, b) =>
    sx * a.x[0] >= sx * b.x[0] && sy * a.y[0] >= sy * b.y[0] && (a.x[0] !== b.x[0] || a.y[0] !== b.y[0]);
  return points.filter((one) => !points.some((other) => beats(other, one)));
}

function drawTradeoffControls() {
  const costs = COSTS.filter(([, , at]) => set().costs.some((row) => isNumber(row[at])));
  const metrics = set().metrics.filter((name) => !known.metrics[name].count);
  const options = [
    ...metrics.map((name) => [name, titled(name)]),
    ...costs.map(([name, label]) => [`cost:${name}`, `${label} ↓`]),
  ];
  const valid = (axis) => options.some(([name]) => name === axis);
  const first = known.sort.find((name) => metrics.includes(name)) ?? metrics[0];
  if (!valid(axes.y)) axes.y = first;
  const timed = valid("cost:seconds") && competitors().some((one) => along("cost:seconds", one.name).length);
  if (!valid(axes.x)) axes.x = timed ? "cost:seconds" : (metrics.find((name) => name !== first) ?? first);
  const pick = (axis) => (value) => {
    axes[axis] = value;
    drawTradeoff();
  };
  tradeoff.querySelector(".controls").replaceChildren(
    choice("Horizontal", options, axes.x, pick("x")),
    choice("Vertical", options, axes.y, pick("y")),
  );
  drawTradeoff();
}

function drawTradeoff() {
  const place = tradeoff.querySelector(".chart");
  const points = competitors()
    .map((one) => ({ one, x: along(axes.x, one.name), y: along(axes.y, one.name) }))
    .filter(({ x, y }) => x.length && y.length);
  if (!points.length) return place.replaceChildren(h("p", { class: "small" }, "No restorer has both values here."));
  const best = front(points).sort((a, b) => a.x[0] - b.x[0]);
  const [w, tall] = [width(place), 380];
  const [left, right, top, bottom] = [56, 24, 26, tall - 48];
  const ends = (axis) => points.flatMap((point) => point[axis].filter(isNumber));
  const x = scale(ends("x"), left, w - right, 0.1);
  const y = scale(ends("y"), bottom, top, 0.1);
  const rules = [
    ...y.ticks.map(([value, text]) => [
      svg("line", { x1: left, x2: w - right, y1: y.at(value), y2: y.at(value), class: "rule" }),
      svg("text", { x: left - 8, y: y.at(value) + 4, "text-anchor": "end", class: "tick" }, text),
    ]),
    ...x.ticks.map(([value, text]) => [
      svg("line", { x1: x.at(value), x2: x.at(value), y1: top, y2: bottom, class: "rule" }),
      svg("text", { x: x.at(value), y: bottom + 18, "text-anchor": "middle", class: "tick" }, text),
    ]),
  ].flat();
  const taken = [];
  const drawn = points.map(({ one, x: px, y: py }) => {
    const [cx, cy] = [x.at(px[0]), y.at(py[0])];
    const on = best.some((point) => point.one === one);
    const whisker = (a, b, horizontal) =>
      isNumber(a) && isNumber(b)
        ? svg("line", {
            x1: horizontal ? x.at(a) : cx, x2: horizontal ? x.at(b) : cx,
            y1: horizontal ? cy : y.at(a), y2: horizontal ? cy : y.at(b),
            stroke: one.colour, "stroke-width": 1.2, opacity: 0.7,
          })
        : null;
    const flip = cx > w * 0.72;
    let ty = cy + 4;
    while (taken.some(([ox, oy]) => Math.abs(oy - ty) < 14 && Math.abs(ox - cx) < 90)) ty += 14;
    taken.push([cx, ty]);
    const name = svg("text", { x: cx + (flip ? -16 : 16), y: ty, "text-anchor": flip ? "end" : "start", class: on ? "name front" : "name" }, cut(one.name, 24));
    const text = `${one.name}: ${axisTitle(axes.x)} ${short(px[0], axes.x)}, ${axisTitle(axes.y)} ${short(py[0], axes.y)}${on ? ", on the Pareto front" : ""}`;
    const dim = state.restorer && state.restorer !== one.name;
    return svg(
      "g",
      { tabindex: 0, role: "img", "aria-label": text, class: "point", opacity: dim ? 0.25 : 1 },
      svg("title", {}, text),
      whisker(px[1], px[2], true),
      whisker(py[1], py[2], false),
      on && svg("circle", { cx, cy, r: 10.5, class: "halo" }),
      mark(one, cx, cy, 5.5),
      name,
    );
  });
  const path = best.map(({ x: px, y: py }, i) => `${i ? "L" : "M"}${x.at(px[0]).toFixed(1)} ${y.at(py[0]).toFixed(1)}`).join("");
  const label = `${axisTitle(axes.y)} against ${axisTitle(axes.x)} on ${split()}. Pareto front: ${best.map((point) => point.one.name).join(", ")}.`;
  place.replaceChildren(
    svg(
      "svg",
      { viewBox: `0 0 ${w} ${tall}`, width: w, height: tall, role: "group", "aria-label": label },
      rules,
      svg("text", { x: w - right, y: bottom + 40, "text-anchor": "end", class: "axis" }, `${axisTitle(axes.x)}${x.log ? ", logarithmic" : ""}`),
      svg("text", { x: 0, y: 12, class: "axis" }, `${axisTitle(axes.y)}${y.log ? ", logarithmic" : ""}, ${split()}`),
      svg("path", { d: path, class: "pareto" }),
      drawn,
    ),
    h("p", { class: "small" }, "Pareto front: ", h("b", {}, best.map((point) => point.one.name).join(", "))),
  );
}
const short = (value, axis) => (axis.startsWith("cost:") ? String(+value.toPrecision(3)) : written(value, axis));

if (tradeoff) {
  watch(["set", "split", "metric"], () => {
    if (state.metric && !known.metrics[state.metric].count) axes.y = state.metric;
    drawTradeoffControls();
  });
  watch(["restorer"], drawTradeoff);
  fitted(tradeoff.querySelector(".chart"), drawTradeoffControls);
}
