// What the page knows: the payload, unpacked when somebody looks, and what is being looked at.

const known = JSON.parse(document.getElementById("payload").textContent);

/** Make an element; text is always text, never markup. */
function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value != null) element.setAttribute(name, value);
  }
  element.append(...children.flat(Infinity).filter((child) => child != null && child !== false));
  return element;
}

function bytes(text) {
  const raw = atob(text);
  const found = new Uint8Array(raw.length);
  for (let i = 0; i < raw.length; i++) found[i] = raw.charCodeAt(i);
  return found;
}

const unpacked = new Map();
function once(key, make) {
  if (!unpacked.has(key)) unpacked.set(key, make());
  return unpacked.get(key);
}

/** One score an image, or undefined where a restorer has none by this metric. */
function scores(set, split, metric, restorer) {
  const packed = known.sets[set].groups[split]?.scores[metric]?.[restorer];
  if (!packed) return undefined;
  return once(`${set}\n${split}\n${metric}\n${restorer}`, () => new Float32Array(bytes(packed).buffer));
}

/** Name of a picture: the sha256 of its pixels, or "" where there is none. `what` is lq, hq or a restorer. */
function digest(set, split, what, image) {
  const group = known.sets[set].groups[split];
  let packed = what.kind === "hq" ? known.sets[set].hq : what.kind === "lq" ? group?.lq : group?.made[what.name];
  if (packed === "lq") packed = group.lq;
  if (packed === "hq") packed = known.sets[set].hq;
  if (!packed) return "";
  const all = once(`sha\n${packed.length}\n${set}\n${split}\n${what.kind}\n${what.name}`, () => bytes(packed));
  const own = all.subarray(32 * image, 32 * image + 32);
  return own.some((byte) => byte) ? [...own].map((byte) => byte.toString(16).padStart(2, "0")).join("") : "";
}

const number = (value) => (value === "inf" ? Infinity : value === "-inf" ? -Infinity : value);

/** Rows of the leaderboard by place. */
const cells = known.sets.map((set) => {
  const found = new Map();
  for (const row of set.cells) {
    const [split, restorer, metric, value, low, high, n, failed, seeds, rank, tier, reliable, note, data, lq] = row;
    const key = `${split}\n${restorer}\n${metric}`;
    const cell = { split, restorer, metric, n, failed, seeds, rank, tier, reliable, data, lq };
    Object.assign(cell, { value: number(value), low: number(low), high: number(high), note: set.notes[note] });
    if (!found.has(key) || found.get(key).value == null) found.set(key, cell);
  }
  return found;
});
const cell = (set, split, restorer, metric) => cells[set].get(`${split}\n${restorer}\n${metric}`);

function written(value, metric) {
  if (value == null || Number.isNaN(value)) return "–";
  if (!Number.isFinite(value)) return value > 0 ? "∞" : "−∞";
  return value.toFixed(known.metrics[metric].digits);
}
const titled = (metric) => {
  const { label, arrow, unit } = known.metrics[metric];
  return `${label}${unit ? ` (${unit})` : ""} ${arrow}`;
};
const isNumber = (value) => value != null && Number.isFinite(value);

// What is looked at. An empty text means all; views that need one take the last split and the first metric.
const state = { set: 0, split: "", metric: "", restorer: "", image: 0 };
const watchers = [];
/** Call `draw` now and whenever one of `keys` changes. */
function watch(keys, draw) {
  watchers.push({ keys, draw });
}
function change(next) {
  const changed = Object.keys(next).filter((key) => state[key] !== next[key]);
  Object.assign(state, next);
  for (const { keys, draw } of watchers) if (keys.some((key) => changed.includes(key))) draw();
}
const set = () => known.sets[state.set];
const split = () => state.split || set().splits[set().splits.length - 1];
const imageMetrics = (at = split()) => Object.keys(set().groups[at]?.scores ?? {});
function metric() {
  const there = imageMetrics();
  return [state.metric, ...known.sort, ...there].find((name) => there.includes(name)) ?? "";
}
const competitors = () => set().restorers.filter((one) => one.ranked || !set().restorers.some((any) => any.ranked));
