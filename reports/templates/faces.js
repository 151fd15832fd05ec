// One face: chosen from a list, with everything that was made of it and how that scored.

const viewer = document.getElementById("viewer");
const MOST_LISTED = 200;
const sides = { left: "", right: "" };
const find = h("input", { type: "search", placeholder: "Search faces", "aria-label": "Search faces" });
const order = h("select", { "aria-label": "Order of the faces" });
for (const [key, text] of [["hard", "hardest first"], ["easy", "easiest first"], ["name", "by name"]])
  order.append(h("option", { value: key }, text));
const faceList = h("ul", { role: "listbox", "aria-label": "Faces", tabindex: 0, class: "faces" });
const faceCount = h("p", { class: "small", "aria-live": "polite" });
const panel = h("div", { class: "face", tabindex: -1 });

/** Mean score of an image over the competitors; with a restorer chosen, its own. */
function difficulty() {
  const name = metric();
  const names = state.restorer ? [state.restorer] : competitors().map((one) => one.name);
  const all = names.map((one) => scores(state.set, split(), name, one)).filter(Boolean);
  return (image) => {
    let [sum, count] = [0, 0];
    for (const values of all) if (Number.isFinite(values[image])) [sum, count] = [sum + values[image], count + 1];
    return count ? sum / count : NaN;
  };
}

let ordered = [];
let ranked = [];
function orderFaces() {
  const value = difficulty();
  const sign = known.metrics[metric()]?.higher ? 1 : -1;
  const last = (a, b) => Number(Number.isNaN(value(a))) - Number(Number.isNaN(value(b)));
  ranked = [...set().samples.keys()].sort((a, b) => last(a, b) || sign * (value(a) - value(b)) || a - b);
  const sorted = { hard: ranked, easy: ranked.toReversed(), name: [...set().samples.keys()] }[order.value];
  const words = find.value.toLowerCase().split(/\s+/).filter(Boolean);
  ordered = sorted.filter((image) => words.every((word) => set().samples[image].toLowerCase().includes(word)));
  drawList(value);
}

function drawList(value) {
  const at = Math.max(0, ordered.indexOf(state.image));
  const start = Math.max(0, Math.min(at - MOST_LISTED / 2, ordered.length - MOST_LISTED));
  const items = ordered.slice(start, start + MOST_LISTED).map((image) =>
    h(
      "li",
      { role: "option", id: `face-${image}`, "data-image": image, "aria-selected": String(image === state.image) },
      h("span", { class: "face-name", title: set().samples[image] }, set().samples[image]),
      h("span", { class: "tick" }, written(value(image), metric())),
    ),
  );
  faceList.replaceChildren(...items);
  faceCount.textContent =
    ordered.length > MOST_LISTED ? `${ordered.length} faces, ${MOST_LISTED} listed; search for others` : `${ordered.length} of ${set().samples.length} faces`;
  select();
}
function select() {
  for (const item of faceList.children) item.setAttribute("aria-selected", String(Number(item.dataset.image) === state.image));
  const chosen = faceList.querySelector('[aria-selected="true"]');
  if (!chosen) return faceList.removeAttribute("aria-activedescendant");
  faceList.setAttribute("aria-activedescendant", chosen.id);
  const [top, bottom] = [chosen.offsetTop, chosen.offsetTop + chosen.offsetHeight];
  if (top < faceList.scrollTop) faceList.scrollTop = top;
  if (bottom > faceList.scrollTop + faceList.clientHeight) faceList.scrollTop = bottom - faceList.clientHeight;
}
function step(by) {
  if (!ordered.length) return;
  const at = ordered.indexOf(state.image);
  change({ image: ordered[at < 0 ? 0 : Math.max(0, Math.min(ordered.length - 1, at + by))] });
  if (!faceList.querySelector(`[data-image="${state.image}"]`)) drawList(difficulty());
}

/** Show a face from elsewhere on the page. */
function openFace(image, restorer) {
  if (restorer) sides.right = restorer;
  find.value = "";
  change({ image });
  orderFaces();
  document.getElementById("faces").scrollIntoView();
  panel.focus({ preventScroll: true });
}

/** Place of a restorer on this image among the competitors. */
function placeOf(image, name, restorer) {
  const values = competitors().map((one) => scores(state.set, split(), name, one.name)?.[image]).filter((value) => !Number.isNaN(value ?? NaN));
  const own = scores(state.set, split(), name, restorer)?.[image];
  if (own == null || Number.isNaN(own) || !competitors().some((one) => one.name === restorer)) return 0;
  const sign = known.metrics[name].higher ? 1 : -1;
  return 1 + values.filter((value) => sign * value > sign * own).length;
}

function scoreTable(image) {
  const names = imageMetrics();
  const rows = set().restorers.filter((one) => names.some((name) => scores(state.set, split(), name, one.name)));
  const head = h("tr", {}, h("th", { scope: "col" }, "Restorer"), names.map((name) => h("th", { scope: "col", class: "number" }, titled(name))));
  const body = rows.map((one) => {
    const values = names.map((name) => {
      const place = placeOf(image, name, one.name);
      const value = scores(state.set, split(), name, one.name)?.[image];
      const mark = ["", "best", "second"][place] ?? "";
      return h("td", { class: `number ${mark}` }, h("span", { class: "value" }, written(value, name)), h("span", { class: "place" }, place ? String(place) : ""));
    });
    return h("tr", { class: one.ranked ? null : "unranked" }, h("th", { scope: "row" }, one.name), values);
  });
  const title = h("caption", {}, "Scores of this face; small figures are places among the restorers on it");
  return h("div", { class: "scroll", role: "region", tabindex: 0, "aria-label": "Scores of this face" }, h("table", { class: "board single" }, title, h("thead", {}, head), h("tbody", {}, body)));
}

function sheet(image) {
  const all = columns();
  const boxes = boxesOf(image);
  const hasReference = all.some((one) => one.kind === "hq") && shaOf(image, { kind: "hq" });
  const name = metric();
  const row = (label, tile) => h("tr", {}, h("th", { scope: "row" }, label), all.map((column) => h("td", {}, tile(column))));
  const whole = (column) =>
    h("button", { type: "button", class: "tile", title: `compare ${column.name}`, onclick: () => pick("right", column.name) }, picture(image, column));
  const heads = all.map((column) => {
    const value = column.kind === "made" ? scores(state.set, split(), name, column.name)?.[image] : column.kind === "lq" ? baseline(image, name) : undefined;
    return h("th", { scope: "col" }, column.name, h("span", { class: "unit" }, value == null ? "\u00a0" : written(value, name)));
  });
  const rows = [row("whole", whole)];
  if (boxes) rows.push(row("eyes", (column) => crop(image, column, boxes[0])), row("mouth", (column) => crop(image, column, boxes[1])));
  if (hasReference) rows.push(row("error", (column) => (column.kind === "hq" ? h("span", { class: "scalebar", role: "img", "aria-label": "scale: black 0, white 64 of 255 or more" }, h("i"), h("b", {}, "64"), h("b", {}, "0")) : errorMap(image, column))));
  const table = h("table", { class: "sheet" }, h("thead", {}, h("tr", {}, h("td"), heads)), h("tbody", {}, rows));
  table.style.setProperty("--columns", all.length);
  return h("div", { class: "scroll", role: "region", tabindex: 0, "aria-label": "All pictures of this face" }, table);
}
/** The score of the LQ itself, where somebody hands it out unchanged. */
function baseline(image, name) {
  const input = set().restorers.find((one) => set().groups[split()]?.made[one.name] === "lq");
  return input && scores(state.set, split(), name, input.name)?.[image];
}

function pick(side, name) {
  sides[side] = name;
  drawFace();
}

/** Where the focus is inside an element that is about to be filled anew. */
function focusIn(place) {
  const active = document.activeElement;
  if (active === place || !place.contains(active)) return "";
  const named = ["handle", "previous", "next"].find((name) => active.classList.contains(name));
  return named ? `.${named}:not(:disabled)` : active.matches("select") ? `select[aria-label="${active.ariaLabel}"]` : "input[type=checkbox]";
}

function drawFace() {
  const image = state.image;
  const all = columns();
  if (!set().samples.length) return panel.replaceChildren(h("p", { class: "small" }, "No images."));
  const names = all.map((one) => [one.name, one.name]);
  const has = (name) => all.some((one) => one.name === name);
  if (!has(sides.left)) sides.left = all[0]?.name;
  const first = all.find((one) => one.kind === "made") ?? all[all.length - 1];
  if (!has(sides.right)) sides.right = has(state.restorer) ? state.restorer : first?.name;
  const [left, right] = [sides.left, sides.right].map((name) => all.find((one) => one.name === name));
  const at = ordered.indexOf(image);
  const label = metric() ? known.metrics[metric()].label : "";
  const hard = ranked.indexOf(image) + 1;
  const focused = focusIn(panel);
  panel.replaceChildren(
    h(
      "div",
      { class: "face-head" },
      h("button", { type: "button", class: "quiet previous", "aria-label": "Previous face", disabled: at <= 0, onclick: () => step(-1) }, "‹"),
      h("div", {}, h("h3", { "aria-live": "polite" }, set().samples[image]), h("p", { class: "small" }, label ? `${split()}; number ${hard} of ${ranked.length} from the hardest by ${label}${state.restorer ? ` of ${state.restorer}` : ""}` : split())),
      h("button", { type: "button", class: "quiet next", "aria-label": "Next face", disabled: at >= ordered.length - 1, onclick: () => step(1) }, "›"),
    ),
    all.length ? compare(image, left, right, names) : h("p", { class: "small" }, "No pictures were kept for this split."),
    all.length ? sheet(image) : "",
    scoreTable(image),
  );
  if (focused) (panel.querySelector(focused) ?? panel).focus({ preventScroll: true });
}

/** Two pictures to compare, and beside them the choice of both, eyes and mouth, and scores. */
function compare(image, left, right, names) {
  const full = h("input", { type: "checkbox" });
  full.checked = fullSize.wanted;
  full.addEventListener("change", () => {
    fullSize.wanted = full.checked;
    drawFace();
  });
  const choices = h(
    "div",
    { class: "controls" },
    choice("Left", names, left.name, (name) => pick("left", name)),
    choice("Right", names, right.name, (name) => pick("right", name)),
    known.media && h("label", { class: "check" }, full, "full PNG"),
  );
  return h(
    "div",
    { class: "compare" },
    slider(picture(image, left), picture(image, right), [left.name, right.name]),
    h("div", { class: "beside" }, choices, closeUps(image, left, right), facesAtScore(image, right)),
  );
}

function closeUps(image, left, right) {
  const boxes = boxesOf(image);
  if (!boxes) return null;
  const parts = ["Eyes", "Mouth"].flatMap((name, i) => [left, right].map((column) => h("figure", {}, crop(image, column, boxes[i]), h("figcaption", {}, `${name}, ${column.name}`))));
  return h("div", { class: "close-ups" }, parts);
}

/** What the restorer on the right scores here, beside its mean over all images. */
function facesAtScore(image, column) {
  if (column.kind !== "made") return null;
  const rows = imageMetrics().map((name) => {
    const value = scores(state.set, split(), name, column.name)?.[image];
    const place = placeOf(image, name, column.name);
    const mean = cell(state.set, split(), column.name, name)?.value;
    return value === undefined || Number.isNaN(value)
      ? null
      : h("div", {}, h("dt", {}, titled(name)), h("dd", {}, h("b", {}, written(value, name)), h("span", { class: "faint" }, ` mean ${written(mean, name)}${place ? ` · place ${place} of ${competitors().length}` : ""}`)));
  });
  return h("div", { class: "own" }, h("p", { class: "own-head" }, column.name), h("dl", {}, rows));
}

if (viewer) {
  const list = h("div", { class: "chooser" }, find, order, faceList, faceCount);
  viewer.append(list, panel);
  find.addEventListener("input", orderFaces);
  order.addEventListener("change", orderFaces);
  faceList.addEventListener("click", (event) => {
    const item = event.target.closest("[data-image]");
    if (item) change({ image: Number(item.dataset.image) });
  });
  faceList.addEventListener("keydown", (event) => {
    const by = { ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10, Home: -ordered.length, End: ordered.length }[event.key];
    if (by === undefined) return;
    event.preventDefault();
    step(by);
  });
  panel.addEventListener("keydown", (event) => {
    const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!by || event.target.closest("select, input, .handle, .scroll") || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    step(by);
  });
  watch(["set", "split", "metric", "restorer"], () => {
    if (state.restorer) sides.right = state.restorer;
    orderFaces();
  });
  watch(["image"], select);
  watch(["set", "split", "metric", "restorer", "image"], drawFace);
}
