"use strict";
/* One pair at a time.  The server decides what is shown and what stands; this page repeats an answer until it is
   confirmed, and repeating one changes nothing. */
(() => {
  const part = (id) => document.getElementById(id);
  const token = document.querySelector("meta[name=study-token]").content;
  const pictures = part("pictures"), sides = { left: part("left"), right: part("right") };
  const RETRY = 1500;  // ms between attempts while the server cannot be reached
  const SCALE = 3;
  let state = { rater: null }, ready = false, busy = false, shown = null, turn = 0;

  // -- the server ---------------------------------------------------------------------------

  async function ask(path, fields) {
    const request = fields === undefined ? {} : {
      method: "POST", body: JSON.stringify(fields),
      headers: { "Content-Type": "application/json", "X-Study-Token": token },
    };
    for (;;) {
      let response = null;
      try { response = await fetch(path, { ...request, cache: "no-store" }); } catch { /* not reached: try again */ }
      if (response && response.status < 500) return [response.status, await response.json()];
      say(response ? "The answer is not saved yet; trying again…" : "The server does not answer; trying again…");
      await new Promise((done) => setTimeout(done, RETRY));
    }
  }

  async function send(path, fields) {
    if (busy) return;
    busy = true;
    turn += 1;
    enable();
    try {
      const [status, found] = await ask(path, fields);
      if (found.error) { say(found.error); return; }
      say(status === 409 ? "That pair was answered before; the first answer stands." : "");
      show(found);
    } finally { busy = false; enable(); }
  }

  // -- what is seen -------------------------------------------------------------------------

  function say(text) { part("message").textContent = text; }

  function enable() {
    const can = ready && !busy;
    for (const button of document.querySelectorAll("[data-answer]")) button.disabled = !can;
    part("undo").disabled = part("undo-last").disabled = busy || !state.undo;
  }

  function show(next) {
    state = next;
    part("join").hidden = state.rater !== null;
    part("compare").hidden = !state.pair;
    part("done").hidden = state.rater === null || Boolean(state.pair);
    if (state.rater === null) { part("name").focus(); return; }
    part("count").textContent = `${state.answered} of ${state.asked}${state.rater ? ` · ${state.rater}` : ""}`;
    part("bar").max = Math.max(1, state.asked);
    part("bar").value = state.answered;
    part("total").textContent = `${state.answered} answers.`;
    if (state.pair && state.pair.token !== shown) load();
    enable();
  }

  function load() {
    const own = shown = state.pair.token;
    ready = false;
    pictures.classList.add("waiting");
    zoom(false);
    part("lq").setAttribute("aria-pressed", "false");
    part("lq").hidden = !state.pair.lq;
    const loaded = Object.entries(sides).map(([side, image]) => new Promise((done, fail) => {
      image.onload = done;
      image.onerror = fail;
      image.src = `/picture/${own}/${side}`;
    }));
    Promise.all(loaded).then(() => {
      if (own !== shown) return;
      pictures.classList.remove("waiting");
      ready = true;
      enable();
    }, () => say("A picture could not be loaded; reload the page."));
  }

  // -- what is done -------------------------------------------------------------------------

  function answer(choice) {
    if (ready && !busy && state.pair) send("/answer", { token: state.pair.token, answer: choice });
  }
  function undo() { if (state.undo) send("/undo", { token: state.undo }); }

  function zoom(on, x = 0.5, y = 0.4) {
    pictures.classList.toggle("zoomed", on);
    part("zoom").setAttribute("aria-pressed", String(on));
    for (const image of Object.values(sides)) {
      image.style.transformOrigin = `${100 * x}% ${100 * y}%`;
      image.style.transform = on ? `scale(${SCALE})` : "";
    }
  }
  function look(on) {  // at the degraded image, in both frames
    if (!ready || !state.pair.lq) return;
    part("lq").setAttribute("aria-pressed", String(on));
    for (const [side, image] of Object.entries(sides)) image.src = `/picture/${state.pair.token}/${on ? "lq" : side}`;
  }
  const isOn = (id) => part(id).getAttribute("aria-pressed") === "true";
  const place = (event) => {
    const box = event.target.closest(".frame").getBoundingClientRect();
    return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height].map((v) => Math.min(1, Math.max(0, v)));
  };

  document.addEventListener("keydown", (event) => {
    if (event.repeat || event.ctrlKey || event.metaKey || event.altKey || event.target.tagName === "INPUT") return;
    const act = {
      ArrowLeft: () => answer("left"), 1: () => answer("left"), ArrowRight: () => answer("right"), 2: () => answer("right"),
      ArrowDown: () => answer("tie"), 0: () => answer("tie"), u: undo, U: undo, Backspace: undo,
      z: () => zoom(!isOn("zoom")), Z: () => zoom(!isOn("zoom")), l: () => look(!isOn("lq")), L: () => look(!isOn("lq")),
    }[event.key];
    if (act && !part("join").contains(event.target) && state.rater !== null) { event.preventDefault(); act(); }
  });
  for (const button of document.querySelectorAll("[data-answer]")) {
    button.addEventListener("click", () => { button.blur(); answer(button.dataset.answer); });
  }
  part("undo").addEventListener("click", undo);
  part("undo-last").addEventListener("click", undo);
  part("zoom").addEventListener("click", () => zoom(!isOn("zoom")));
  part("lq").addEventListener("click", () => look(!isOn("lq")));
  part("leave").addEventListener("click", () => { shown = null; send("/leave", {}); });
  part("join").addEventListener("submit", (event) => { event.preventDefault(); send("/join", { name: part("name").value }); });
  pictures.addEventListener("pointerdown", (event) => { if (event.target.closest(".frame")) zoom(!isOn("zoom"), ...place(event)); });
  pictures.addEventListener("pointermove", (event) => { if (isOn("zoom") && event.target.closest(".frame")) zoom(true, ...place(event)); });
  window.addEventListener("beforeunload", (event) => { if (busy) event.preventDefault(); });
  // another tab may have gone on
  document.addEventListener("visibilitychange", () => { if (!document.hidden && !busy) refresh(); });
  window.addEventListener("focus", () => { if (!busy) refresh(); });

  async function refresh() {
    const asked = turn;
    const [, found] = await ask("/state");
    if (asked === turn) show(found);  // else what was sent meanwhile brings newer news
  }
  refresh();
})();
