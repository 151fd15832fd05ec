// The switch: restorer x split x metric (and data set), for every view of the page.

const bar = document.getElementById("switch");

function choice(label, options, value, choose) {
  const select = h("select", { "aria-label": label, onchange: () => choose(select.value) });
  for (const [key, text] of options) select.append(h("option", { value: key }, text));
  select.value = value;
  return h("label", {}, h("span", {}, label), select);
}

function openSet(at) {
  Object.assign(state, { set: at, split: "", metric: "", restorer: "" });
  state.image = faceInside();
  for (const { draw } of watchers) draw();
}

function drawSwitch() {
  const metrics = set().metrics.map((name) => [name, titled(name)]);
  const restorers = set().restorers.map((one) => [one.name, one.name]);
  const sets = known.sets.map((one, i) => [String(i), `${one.name}${one.protocol === "standard" ? "" : `, ${one.protocol}`}`]);
  const options = [
    known.sets.length > 1 &&
      choice("Data", sets, String(state.set), (at) => openSet(Number(at))),
    choice("Split", [["", "all"], ...set().splits.map((name) => [name, name])], state.split, (at) => change({ split: at })),
    choice("Metric", [["", "all"], ...metrics], state.metric, (at) => change({ metric: at })),
    choice("Restorer", [["", "all"], ...restorers], state.restorer, (at) => change({ restorer: at })),
  ];
  const focused = document.activeElement?.getAttribute("aria-label");
  bar.replaceChildren(...options.filter(Boolean));
  if (focused) [...bar.querySelectorAll("select")].find((one) => one.getAttribute("aria-label") === focused)?.focus();
}
bar.addEventListener("submit", (event) => event.preventDefault());
bar.hidden = false;
watch(["set", "split", "metric", "restorer"], drawSwitch);

watch(["set"], showSet);
function showSet() {
  for (const part of document.querySelectorAll(".set")) part.hidden = Number(part.dataset.set) !== state.set;
}

// Views that follow the switch say what they show.
watch(["set", "split", "metric"], showNow);
function showNow() {
  const parts = [known.sets.length > 1 ? set().name : "", split(), metric() ? titled(metric()) : ""];
  for (const place of document.querySelectorAll(".now")) place.textContent = parts.filter(Boolean).join(" · ");
}
