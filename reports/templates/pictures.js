// Pictures: those inside the page, and links to the full ones beside it.

const fullSize = { wanted: false };

/** What there is of the faces of a split: LQ, every restorer, reference; whoever only hands out one of these is not there twice. */
function columns() {
  const group = set().groups[split()];
  const all = set().restorers.filter((one) => group?.made[one.name] && (group.made[one.name] !== "hq" || one.ranked));
  const changing = all.filter((one) => group.made[one.name] !== "lq");
  const made = changing.length ? changing : all; // results without an LQ of their own stand under their name
  return [
    ...(group?.lq && (changing.length || !all.length) ? [{ kind: "lq", name: "LQ" }] : []),
    ...made.map((one) => ({ kind: "made", name: one.name })),
    ...(set().hq ? [{ kind: "hq", name: "Reference" }] : []),
  ];
}

const shaOf = (image, column) => digest(state.set, split(), column, image);
function address(sha256) {
  const inside = known.pictures[sha256];
  const beside = known.media ? `${known.media}${sha256.slice(0, 2)}/${sha256}.png` : "";
  if (inside && !(fullSize.wanted && beside)) return `data:image/webp;base64,${inside}`;
  return beside;
}

const absent = "in media/, which is not beside this page";
function missing(reason) {
  return h("span", { class: "missing" }, reason);
}
/** A picture of a face, or why there is none. */
function picture(image, column, attributes = {}) {
  const alt = `${set().samples[image]}, ${column.name}, ${split()}`;
  const sha256 = shaOf(image, column);
  const source = sha256 && address(sha256);
  if (!source) return missing(sha256 ? absent : "no picture");
  const element = h("img", { alt, src: source, draggable: "false", ...attributes });
  element.addEventListener("error", () => {
    known.media = ""; // once is enough: the page was moved without its pictures
    element.replaceWith(missing(absent));
  });
  return element;
}

/** A part of a picture, enlarged: the box is `[x, y, width, height]` as shares of its sides. */
function crop(image, column, [x, y, w, tall]) {
  const element = picture(image, column);
  if (element.tagName !== "IMG") return h("span", { class: "crop" }, element);
  element.style.width = `${100 / w}%`;
  element.style.height = `${100 / tall}%`;
  element.style.left = `${(-100 * x) / w}%`;
  element.style.top = `${(-100 * y) / tall}%`;
  const frame = h("span", { class: "crop" }, element);
  frame.style.aspectRatio = `${w} / ${tall}`;
  return frame;
}

/** Where a restored picture differs from the reference: blended by the browser, which needs no access to pixels. */
function errorMap(image, column) {
  const reference = columns().find((one) => one.kind === "hq");
  const [below, above] = [picture(image, reference), picture(image, column)];
  if (below.tagName !== "IMG" || above.tagName !== "IMG") return missing("no picture");
  below.alt = "";
  above.alt = `Error map of ${above.alt}`;
  return h("span", { class: "error-map" }, below, above);
}

function boxesOf(image) {
  const at = Array.isArray(set().crops) ? set().crops[image] : set().crops;
  return at >= 0 ? set().boxes[at] : null;
}

/** A face of which everything is inside the page, to open with; the page may have been moved without media/. */
function faceInside() {
  const all = columns();
  const whole = (image) => all.every((column) => [undefined, ""].includes(shaOf(image, column)) || known.pictures[shaOf(image, column)]);
  const inside = set().samples.findIndex((_, image) => all.some((column) => shaOf(image, column)) && whole(image));
  return Math.max(0, inside);
}
