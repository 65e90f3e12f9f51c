// The graph: as written, as optimised, or the difference; always beside whatever panel is open.

import { drawn, h, light, reveal } from "./dom.js";
import { zoomable } from "./zoom.js";

const GRAPHS = [["before", "Before"], ["after", "After"], ["difference", "Difference"]];

export function graphPanel(store) {
  const box = h("div", { class: "gl-canvas", "data-testid": "gl-canvas" });
  const zoom = zoomable(box);
  const choose = GRAPHS.map(([name, text]) => h("button", {
    type: "button", "data-graph": name, "data-testid": `gl-graph-${name}`, onclick: () => store.set("graph", name),
  }, text));
  const tool = (text, title, act) => h("button", { type: "button", title, "aria-label": title, onclick: act }, text);
  const bar = h("div", { class: "gl-bar" },
    h("div", { class: "gl-choice", role: "group", "aria-label": "Graph" }, choose),
    h("span", { class: "gl-space" }),
    tool("−", "Zoom out", () => zoom.by(0.8)), tool("+", "Zoom in", () => zoom.by(1.25)),
    tool("⤢", "Fit the picture (f)", () => zoom.fit()));
  const element = h("section", { class: "gl-graph-panel", "aria-label": "Graph" }, bar, box,
    drawn("div", { class: "gl-legend-line" }, store.get("legend")));

  function draw() {
    const name = store.get("graph");
    box.innerHTML = store.get("pictures")[name] ?? "";
    for (const button of choose) button.setAttribute("aria-pressed", String(button.dataset.graph === name));
    zoom.fit(true);
    mark();
  }

  // What is focused; and while stepping, what has run and what comes next.
  function mark() {
    const ids = store.lit(), first = light(box, ids);
    if (first) reveal(box, first);
    const steps = store.get("view") === "step" ? store.trace.steps : [], now = store.get("step");
    light(box, new Set(steps.slice(0, now).flatMap((step) => step.nodes)), "is-done");
    light(box, new Set(steps[now]?.nodes ?? []), "is-next");
    box.classList.toggle("is-stepping", steps.length > 0);
  }

  function pick(event) {
    const card = event.target.closest("[data-nodes]");
    if (card && !box.classList.contains("is-dragging")) store.focus(mine(card));
  }

  // A card may stand for a node of each graph: the one of the graph that is shown comes first.
  function mine(card) {
    const ids = card.dataset.nodes.split(" ");
    const shown = store.trace.graphs[store.get("graph")]?.nodes ?? [];
    return ids.find((id) => shown.includes(id)) ?? ids[0];
  }

  // If nothing that is focused is in this picture, turn to one that has it.
  function follow() {
    const ids = store.lit();
    const shows = (name) => store.trace.graphs[name].nodes.some((id) => ids.has(id));
    const graph = store.get("graph");
    if (graph !== "difference" && ids.size && !shows(graph)) {
      const other = graph === "before" ? "after" : "before";
      if (shows(other)) return store.set("graph", other);
    }
    mark();
  }

  box.addEventListener("click", pick);
  box.addEventListener("keydown", (event) => {
    if (event.key === "Enter" || event.key === " ") { event.preventDefault(); pick(event); }
  });
  store.listen("change:graph", draw);
  store.listen("change:pictures", draw);
  store.listen("change:focus", follow);
  store.listen("change:step", mark);
  store.listen("change:view", mark);
  return { element, draw, fit: () => zoom.fit() };
}
