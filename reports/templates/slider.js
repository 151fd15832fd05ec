// Before and after: two pictures at the same place, parted by a line that pointer, touch and keys move.

function slider(before, after, names) {
  const handle = h("div", {
    class: "handle", role: "slider", tabindex: 0, "aria-label": `Part shown of ${names[0]} and ${names[1]}`,
    "aria-valuemin": 0, "aria-valuemax": 100, "aria-orientation": "horizontal",
  });
  const top = h("div", { class: "before" }, before);
  const stage = h(
    "div",
    { class: "slider" },
    h("div", { class: "after" }, after),
    top,
    h("span", { class: "side left" }, names[0]),
    h("span", { class: "side right" }, names[1]),
    handle,
  );
  let at = 50;
  function move(to) {
    at = Math.max(0, Math.min(100, to));
    stage.style.setProperty("--at", `${at}%`);
    handle.setAttribute("aria-valuenow", String(Math.round(at)));
    handle.setAttribute("aria-valuetext", `${Math.round(at)} % ${names[0]}, ${Math.round(100 - at)} % ${names[1]}`);
    slider.last = at;
  }
  const follow = (event) => {
    const box = stage.getBoundingClientRect();
    move((100 * (event.clientX - box.left)) / box.width);
  };
  stage.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    stage.setPointerCapture(event.pointerId);
    handle.focus({ preventScroll: true });
    follow(event);
  });
  stage.addEventListener("pointermove", (event) => stage.hasPointerCapture(event.pointerId) && follow(event));
  handle.addEventListener("keydown", (event) => {
    const small = event.shiftKey ? 10 : 2;
    const to = { ArrowLeft: at - small, ArrowDown: at - small, ArrowRight: at + small, ArrowUp: at + small, PageDown: at - 10, PageUp: at + 10, Home: 0, End: 100 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    event.stopPropagation(); // the arrow keys of the viewer turn to the next face
    move(to);
  });
  move(slider.last ?? 50);
  return stage;
}
