// Distribution of a metric: a density and a strip of images for every restorer.

const spread = document.querySelector("#spread");
const MOST_POINTS = 300;

const quantile = (sorted, share) => {
  const at = share * (sorted.length - 1);
  const low = Math.floor(at);
  return sorted[low] + (at - low) * ((sorted[low + 1] ?? sorted[low]) - sorted[low]);
};

/** Gaussian kernel density on a grid of 64, bandwidth by Silverman's rule. */
function density(sorted) {
  const n = sorted.length;
  const mean = sorted.reduce((sum, value) => sum + value, 0) / n;
  const deviation = Math.sqrt(sorted.reduce((sum, value) => sum + (value - mean) ** 2, 0) / Math.max(1, n - 1));
  const middle = (quantile(sorted, 0.75) - quantile(sorted, 0.25)) / 1.34;
  const width = 0.9 * (Math.min(deviation, middle || deviation) || 1e-9) * n ** -0.2;
  const [low, high] = [sorted[0] - 2 * width, sorted[n - 1] + 2 * width];
  const step = Math.max(1, Math.floor(n / 2000));
  return Array.from({ length: 64 }, (_, i) => {
    const at = low + ((high - low) * i) / 63;
    let sum = 0;
    for (let k = 0; k < n; k += step) sum += Math.exp(-0.5 * ((at - sorted[k]) / width) ** 2);
    return [at, sum];
  });
}

/** A number between -1 and 1 that an image always gets. */
const jitter = (image) => ((((image + 1) * 2654435761) >>> 0) / 2 ** 31) - 1;

function drawSpread() {
  const place = spread.querySelector(".chart");
  const name = metric();
  const rows = (state.restorer ? set().restorers : competitors())
    .map((one) => ({ one, values: scores(state.set, split(), name, one.name) }))
    .filter(({ one, values }) => values && (!state.restorer || one.name === state.restorer))
    .map((row) => {
      const known = [...row.values.keys()].filter((i) => Number.isFinite(row.values[i]));
      known.sort((a, b) => row.values[a] - row.values[b]);
      return { ...row, order: known, sorted: known.map((i) => row.values[i]) };
    })
    .filter(({ order }) => order.length);
  if (!rows.length) return place.replaceChildren(h("p", { class: "small" }, "No scores of single images here."));
  const w = width(place);
  const narrow = w < 560;
  const [left, right, tall, head] = [narrow ? 12 : 130, narrow ? 12 : 92, narrow ? 66 : 56, 12];
  const ends = rows.flatMap(({ sorted }) => [sorted[0], sorted[sorted.length - 1]]);
  const x = scale(ends, left, w - right, 0.04);
  const bottom = head + rows.length * tall;
  const parts = x.ticks.map(([value, text]) => [
    svg("line", { x1: x.at(value), x2: x.at(value), y1: head, y2: bottom, class: "rule" }),
    svg("text", { x: x.at(value), y: bottom + 16, "text-anchor": "middle", class: "tick" }, text),
  ]);
  rows.forEach(({ one, order, sorted, values }, i) => {
    const y = head + i * tall + tall * (narrow ? 0.66 : 0.5);
    const [q1, q2, q3] = [0.25, 0.5, 0.75].map((share) => quantile(sorted, share));
    const text = `${one.name}: median ${written(q2, name)}, quartiles ${written(q1, name)} and ${written(q3, name)}, range ${written(sorted[0], name)} to ${written(sorted[sorted.length - 1], name)}, ${sorted.length} images`;
    const own = [svg("title", {}, text)];
    if (sorted.length >= 8 && sorted[0] < sorted[sorted.length - 1]) {
      const curve = density(sorted);
      const most = Math.max(...curve.map(([, value]) => value));
      const at = ([value, tallness], side) => `${x.at(Math.max(value, x.log ? sorted[0] : value)).toFixed(1)} ${(y - (side * tallness * tall * 0.4) / most).toFixed(1)}`;
      const outline = [...curve.map((point) => at(point, 1)), ...curve.toReversed().map((point) => at(point, -1))];
      own.push(svg("path", { d: `M${outline.join("L")}Z`, fill: one.colour, opacity: 0.18 }));
    }
    const step = Math.max(1, Math.ceil(order.length / MOST_POINTS));
    const spaced = order.filter((_, k) => k % step === 0 || k === order.length - 1 || k < 3 || k > order.length - 4);
    for (const image of spaced)
      own.push(svg("circle", {
        cx: x.at(values[image]).toFixed(1), cy: (y + jitter(image) * tall * 0.16).toFixed(1), r: order.length > 60 ? 2.2 : 3.6,
        fill: one.colour, "fill-opacity": 0.75, class: "dot", "data-image": image,
      }));
    own.push(
      svg("line", { x1: x.at(q1), x2: x.at(q3), y1: y, y2: y, class: "quartiles" }),
      svg("circle", { cx: x.at(q2), cy: y, r: 4, class: "median" }),
    );
    const label = narrow ? { x: left, y: y - tall * 0.34 } : { x: left - 14, y: y + 4, "text-anchor": "end" };
    const value = narrow ? { x: w - right, y: y - tall * 0.34, "text-anchor": "end" } : { x: w, y: y + 4, "text-anchor": "end" };
    own.push(svg("text", { ...label, class: "name" }, cut(one.name, narrow ? 30 : 18)));
    own.push(svg("text", { ...value, class: "tick" }, written(q2, name), svg("tspan", { class: "faint" }, " median")));
    parts.push(svg("g", { role: "img", "aria-label": text }, own));
  });
  const all = svg("svg", { viewBox: `0 0 ${w} ${bottom + 24}`, width: w, height: bottom + 24, role: "group", "aria-label": `${titled(name)} on ${split()}` }, parts);
  all.addEventListener("click", (event) => {
    const image = event.target.dataset?.image;
    if (image !== undefined) openFace(Number(image));
  });
  all.addEventListener("pointerover", (event) => {
    const image = event.target.dataset?.image;
    if (image === undefined || event.target.firstChild) return;
    event.target.append(svg("title", {}, set().samples[Number(image)]));
  });
  place.replaceChildren(all);
}

if (spread) {
  watch(["set", "split", "metric", "restorer"], drawSpread);
  fitted(spread.querySelector(".chart"), drawSpread);
}
