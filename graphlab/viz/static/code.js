// The user's lines and the generated C beside each other: picking a line of one lights the other.

import { drawn, h, light, reveal } from "./dom.js";

export function codePanel(store) {
  const listings = store.get("listings");
  const python = drawn("div", { class: "gl-listing gl-python", "data-testid": "gl-python" }, listings.python ?? "");
  const c = drawn("div", { class: "gl-listing gl-c", "data-testid": "gl-c" }, listings.c ?? "");
  const wanted = store.trace.code.text !== "";
  const flags = store.trace.build?.flags ?? [];
  const none = h("p", { class: "gl-empty" }, store.holds("code") ? "No C: this function runs in NumPy." : "This report was written without code.");
  const element = h("div", { class: "gl-panel gl-code-panel" },
    h("h3", {}, "Your lines"), python, h("h3", {}, "Generated C"), wanted ? c : none,
    flags.length ? h("details", { class: "gl-flags" }, h("summary", {}, "Compiler flags"), h("code", {}, flags.join(" "))) : null);

  function pick(event) {
    const line = event.target.closest("[data-nodes]");
    if (line && line.dataset.nodes && !String(getSelection())) store.focus(line.dataset.nodes.split(" "));
  }
  function mark() {
    for (const box of [python, c]) {
      const first = light(box, store.lit());
      if (first && box.clientHeight) reveal(box, first);
    }
  }
  // Long code is not there from the start.
  async function open() {
    if (!python.innerHTML) {
      const found = listings.python === undefined ? await store.ask("listings", "all") : listings;
      [python.innerHTML, c.innerHTML] = [found.python, found.c];
    }
    mark();
  }
  for (const box of [python, c]) {
    box.addEventListener("click", pick);
    box.addEventListener("keydown", (event) => { if (event.key === "Enter") pick(event); });
  }
  store.listen("change:focus", mark);
  return { element, open };
}
