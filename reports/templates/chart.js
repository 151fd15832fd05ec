// Small drawing kit: SVG elements, scales, the marks of restorers.

function svg(tag, attributes = {}, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value !== false && value != null) element.setAttribute(name, value);
  }
  element.append(...children.flat(Infinity).filter((child) => child != null && child !== false));
  return element;
}

// The shapes that the curves use, on a circle of radius 1.
const SHAPES = {
  s: "M-.85-.85H.85V.85H-.85Z",
  "^": "M0-1.1L1 .8H-1Z",
  D: "M0-1.2L1 0L0 1.2L-1 0Z",
  v: "M0 1.1L1-.8H-1Z",
  P: "M-.4-1.1H.4V-.4H1.1V.4H.4V1.1H-.4V.4H-1.1V-.4H-.4Z",
  X: "M-1.1-.6L-.6-1.1L0-.5L.6-1.1L1.1-.6L.5 0L1.1.6L.6 1.1L0 .5L-.6 1.1L-1.1.6L-.5 0Z",
  "*": "M0-1.25L.3-.4L1.2-.4L.48.15L.75 1.02L0 .5L-.75 1.02L-.48.15L-1.2-.4L-.3-.4Z",
};
function mark(one, x, y, size, attributes = {}) {
  const path = SHAPES[one.shape] ?? "M-1 0A1 1 0 1 0 1 0A1 1 0 1 0-1 0Z";
  const place = `translate(${x.toFixed(1)} ${y.toFixed(1)}) scale(${size})`;
  return svg("path", { d: path, transform: place, fill: one.colour, ...attributes });
}

/** A name that fits; the whole one is in the title of what it names. */
const cut = (name, letters) => (name.length > letters ? `${name.slice(0, letters - 1)}…` : name);

/** Round values between two ends, about `count` of them. */
function ticks(low, high, count = 5) {
  const span = high - low || 1;
  const raw = span / count;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((times) => times * power).find((candidate) => candidate >= raw);
  const found = [];
  for (let i = Math.ceil(low / step); i * step <= high + step * 1e-9; i++) found.push(i * step);
  return { step, values: found };
}
function tickText(value, step) {
  const digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
  return value.toFixed(Math.min(digits, 6));
}

/** A scale from values to pixels; logarithmic where values span more than a factor of thirty. */
function scale(values, from, to, pad = 0.08) {
  const low = Math.min(...values);
  const high = Math.max(...values);
  const log = low > 0 && high / low > 30;
  const f = log ? Math.log10 : (value) => value;
  let [a, b] = [f(low), f(high)];
  const room = (b - a || Math.abs(b) * 0.1 || 1) * pad;
  [a, b] = [a - room, b + room];
  const at = (value) => from + ((f(value) - a) / (b - a)) * (to - from);
  if (!log) {
    const { step, values: found } = ticks(a, b);
    return { at, log, ticks: found.map((value) => [value, tickText(value, step)]) };
  }
  const found = [];
  for (let power = Math.floor(a); power <= Math.ceil(b); power++)
    for (const times of b - a > 2.2 ? [1] : [1, 2, 5]) {
      const value = times * 10 ** power;
      if (f(value) >= a && f(value) <= b) found.push([value, String(+value.toPrecision(1))]);
    }
  return { at, log, ticks: found };
}

const width = (element) => Math.max(280, Math.min(element.clientWidth || 720, 1100));
/** Draw again when the room changes. */
function fitted(element, draw) {
  let last = 0;
  new ResizeObserver(() => {
    const now = width(element);
    if (now !== last) draw();
    last = now;
  }).observe(element);
}
