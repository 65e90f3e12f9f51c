// The graph: as written, as optimised, side by side, the difference, or any moment between; always beside the open panel.

import { drawn, h, light, reveal } from "./dom.js";
import { zoomable } from "./zoom.js";

const GRAPHS = [["before", "Before"], ["after", "After"], ["side-by-side", "Side by side"], ["difference", "Difference"]];

export function graphPanel(store) {
  const box = h("div", { class: "gl-canvas", "data-testid": "gl-canvas" });
  const zoom = zoomable(box);
  const choose = GRAPHS.map(([name, text]) => h("button", {
    type: "button", "data-graph": name, "data-testid": `gl-graph-${name}`, onclick: () => store.set("graph", name),
  }, text));
  const moment = h("span", { class: "gl-moment gl-dim", "data-testid": "gl-graph-moment" });
  const tool = (text, title, act) => h("button", { type: "button", title, "aria-label": title, onclick: act }, text);
  const bar = h("div", { class: "gl-bar" },
    h("div", { class: "gl-choice", role: "group", "aria-label": "Graph" }, choose), moment,
    h("span", { class: "gl-space" }),
    tool("−", "Zoom out ( - )", () => zoom.by(0.8)), tool("+", "Zoom in ( + )", () => zoom.by(1.25)),
    tool("⤢", "Fit the picture (f)", () => zoom.fit()));
  const element = h("section", { class: "gl-graph-panel", "aria-label": "Graph" }, bar, box,
    drawn("div", { class: "gl-legend-line" }, store.get("legend")));

  let shown = "";
  const several = (graph) => (graph === "side-by-side" ? ["before", "after"] : [graph]);

  // The picture of the graph that is chosen, with the groups opened and closed that were toggled.
  async function draw() {
    if (!store.holds("graph")) return;
    const graph = store.get("graph"), folds = store.get("folds"), step = /^step-(\d+)$/.exec(graph);
    for (const button of choose) button.setAttribute("aria-pressed", String(button.dataset.graph === graph));
    moment.textContent = step ? `after ${step[1]} of ${store.trace.rewrites.length} rewrites` : "";
    const names = several(graph).map((name) => (folds ? `${name}:${folds}` : name));
    const found = await Promise.all(names.map(async (name) => store.get("pictures")[name] ?? (await store.ask("picture", name)).svg));
    if (found.some((picture) => !picture) || graph !== store.get("graph") || folds !== store.get("folds")) return;
    const again = shown === graph, held = again ? document.activeElement?.closest?.("[data-group]")?.dataset.group : null;
    const place = anchor(again ? touched : null);
    box.innerHTML = found.join("");
    box.classList.toggle("is-double", found.length > 1);
    // Every graph stands on the same places: whoever looks from one to another sees nothing move.
    const same = shown && several(shown).length === found.length;
    if (same) zoom.keep();
    shown = graph;
    place();
    mark();
    if (!same) zoom.fit(true);
    if (held) find(held)?.focus({ preventScroll: true });
    store.tell("change:picture");
  }

  const find = (group) => box.querySelector(`[data-group="${CSS.escape(group)}"]`);

  // Where a group is on the screen now; to be called when it is drawn anew, so that it does not move away.
  let touched = null;
  function anchor(group) {
    const before = group && find(group)?.getBoundingClientRect();
    return () => {
      const after = before && find(group)?.getBoundingClientRect();
      if (after) box.scrollBy(after.left - before.left, after.top - before.top);
    };
  }

  function toggle(group) {
    const folds = new Set(store.get("folds").split(",").filter(Boolean));
    if (!folds.delete(group)) folds.add(group);
    touched = group;
    store.set("folds", [...folds].join(","));
  }

  // What is focused; and while stepping, what has run and what comes next.
  function mark() {
    light(box, store.lit());
    // A reference to what is focused is no place to look at it.
    const first = [...box.querySelectorAll(".is-focus")].find((card) => !card.classList.contains("gl-reference"));
    if (first) reveal(box, first);
    const steps = store.get("view") === "step" ? store.trace.steps : [], now = store.get("step");
    light(box, new Set(steps.slice(0, now).flatMap((step) => step.nodes)), "is-done");
    const next = steps.length ? store.get("session").next ?? [] : []; // of what was entered
    light(box, new Set([...(steps[now]?.nodes ?? []), ...next]), "is-next");
    box.classList.toggle("is-stepping", steps.length > 0);
  }

  function pick(event) {
    if (box.classList.contains("is-dragging")) return;
    const group = event.target.closest("[data-group]");
    if (group) return toggle(group.dataset.group);
    const card = event.target.closest("[data-nodes]");
    if (!card) return;
    // Enter on what is picked already opens what is inside of it.
    const body = event.type === "keydown" && card.classList.contains("is-focus") ? opener(card) : null;
    if (body) return toggle(body);
    store.focus(mine(card));
  }

  function opener(card) {
    const ids = card.dataset.nodes.split(" ").flatMap((id) => [id, store.trace.twins[id]]);
    const found = [...box.querySelectorAll(".gl-body [data-group]")].find((toggle) => ids.includes(toggle.dataset.group));
    return found?.dataset.group;
  }

  // A card may stand for a node of each graph: the one of the graph that is shown comes first.
  function mine(card) {
    const ids = card.dataset.nodes.split(" ");
    const shown = store.trace.graphs[card.closest("svg").dataset.view]?.nodes ?? [];
    return ids.find((id) => shown.includes(id)) ?? ids[0];
  }

  // If nothing that is focused is in this picture, turn to one that has it.
  function follow() {
    const ids = store.lit(), graph = store.get("graph"), graphs = store.trace.graphs;
    const shows = (name) => graphs[name].nodes.some((id) => ids.has(id));
    if (graph in graphs && ids.size && !shows(graph)) {
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
  store.listen("change:folds", draw);
  store.listen("change:pictures", draw);
  store.listen("change:focus", follow);
  store.listen("change:session", mark);
  store.listen("change:view", mark);
  const keys = {
    f: ["fit the picture", () => zoom.fit()], "+": ["zoom in", () => zoom.by(1.25)], "-": ["zoom out", () => zoom.by(0.8)],
    d: ["difference", () => store.set("graph", store.get("graph") === "difference" ? "after" : "difference")],
    Enter: ["pick; open or close a group", null], // whatever has the focus does it
  };
  return { element, draw, keys, layout: () => box.querySelector("svg")?.dataset ?? {} };
}
