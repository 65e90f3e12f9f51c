// The explorer: one picture, one panel beside it, one focus through everything.

import { h } from "./dom.js";
import { createStore } from "./store.js";
import { graphPanel } from "./graph.js";
import { rewritesPanel } from "./rewrites.js";
import { stepperPanel } from "./stepper.js";
import { codePanel } from "./code.js";
import { tablePanel } from "./table.js";
import { profilePanel } from "./profile.js";
import { inspectorPanel } from "./inspector.js";

const PANELS = [["graph", "Graph"], ["rewrites", "Rewrites"], ["step", "Step"], ["code", "Code"], ["nodes", "Nodes"], ["profile", "Profile"]];
const HELP = "n p: step · [ ]: rewrite · arrows: walk the graph · 1–6: panels · d: difference · f: fit · /: search · Esc: leave";

export function render({ model, el }) {
  const store = createStore(model), { trace } = store;
  const graph = graphPanel(store), inspector = inspectorPanel(store);
  const panels = { rewrites: rewritesPanel(store), step: stepperPanel(store), code: codePanel(store), nodes: tablePanel(store) };
  if (trace.profile) panels.profile = profilePanel(store);
  const TABS = PANELS.filter(([name]) => name !== "profile" || trace.profile);
  const count = { rewrites: trace.rewrites.length, step: trace.steps.length };
  const tabs = TABS.map(([name, text]) => h("button", {
    type: "button", role: "tab", "data-view": name, "data-testid": `gl-tab-${name}`, onclick: () => store.set("view", name),
  }, text, count[name] ? h("span", { class: "gl-count" }, String(count[name])) : null));
  const side = h("div", { class: "gl-side" });
  const status = h("span", { class: "gl-grow", "data-testid": "gl-status" });
  const error = h("span", { class: "gl-error", role: "alert", "data-testid": "gl-error" });
  const root = h("div", { class: "gl-root", tabindex: -1, "data-testid": "gl-explorer", "data-lm-suppress-shortcuts": true },
    h("header", { class: "gl-head" }, h("strong", {}, trace.function.name), h("code", {}, trace.function.expression)),
    h("div", { class: "gl-tabs", role: "tablist", "aria-label": "Panels" }, tabs),
    h("div", { class: "gl-main" }, graph.element, side),
    h("footer", { class: "gl-foot" }, status, error, h("span", { class: "gl-dim", title: HELP }, "? keys")));
  el.replaceChildren(root);

  function turn() {
    const view = store.get("view"), panel = panels[view];
    tabs.forEach((tab) => tab.setAttribute("aria-selected", String(tab.dataset.view === view)));
    side.replaceChildren(...[panel?.element, inspector.element].filter(Boolean));
    root.dataset.view = view;
    // What runs is the optimised graph.
    if (["step", "code"].includes(view) && store.get("graph") === "before") store.set("graph", "after");
    panel?.open();
  }

  function tell() {
    const words = (n, word) => `${n} ${word}${n === 1 ? "" : "s"}`;
    const { layout, why } = graph.layout();
    const sizes = ["before", "after"].map((name) => trace.graphs[name].nodes.length);
    status.textContent = [`${sizes[0]} → ${sizes[1]} nodes`, words(trace.rewrites.length, "rewrite"),
      words(trace.kernels.length, "kernel"), `layout: ${layout}${why ? ` (${why})` : ""}`].join(" · ");
    error.textContent = store.get("error");
  }

  // Arrows walk along the links: up to inputs, down to users, sideways to fellow inputs.
  function walk(key) {
    const { nodes, users } = store, [id] = store.focused();
    if (!id) return store.focus(trace.graphs.after.outputs[0][0]);
    const inside = trace.graphs[trace.graphs.before.nodes.includes(id) ? "before" : "after"].nodes;
    const below = (users.get(id) ?? []).filter((user) => inside.includes(user));
    if (key === "ArrowUp") return nodes.get(id).inputs.length && store.focus(nodes.get(id).inputs[0][0]);
    if (key === "ArrowDown") return below.length && store.focus(below[0]);
    const fellows = below.length ? nodes.get(below[0]).inputs.map(([input]) => input) : trace.graphs.after.outputs.map(([end]) => end);
    const next = fellows[fellows.indexOf(id) + (key === "ArrowRight" ? 1 : -1)];
    if (next) store.focus(next);
  }

  const difference = () => store.set("graph", store.get("graph") === "difference" ? "after" : "difference");
  const find = () => { store.set("view", "nodes"); panels.nodes.search(); };
  const keys = {
    n: () => panels.step.move(1), p: () => panels.step.move(-1), "]": () => rewrite(1), "[": () => rewrite(-1),
    f: graph.fit, d: difference, "/": find, Escape: () => document.activeElement?.blur(),
    "?": () => { status.textContent = HELP; },
  };
  const rewrite = (by) => { store.set("view", "rewrites"); panels.rewrites.move(by); };
  TABS.forEach(([name], k) => { keys[k + 1] = () => store.set("view", name); });
  for (const name of ["ArrowUp", "ArrowDown", "ArrowLeft", "ArrowRight"]) keys[name] = () => walk(name);

  root.addEventListener("keydown", (event) => {
    const typing = event.target.matches("input, textarea");
    if (event.ctrlKey || event.metaKey || event.altKey || (typing && event.key !== "Escape")) return;
    const act = Object.hasOwn(keys, event.key) ? keys[event.key] : null;
    if (act) { event.preventDefault(); event.stopPropagation(); act(); }
  });

  store.listen("change:view", turn);
  store.listen("change:error", tell);
  store.listen("change:picture", tell);
  turn();
  tell();
  graph.draw();
  // The box has no size until it is in the page.
  const resized = new ResizeObserver(() => { if (root.clientWidth) { resized.disconnect(); graph.draw(); } });
  resized.observe(root);
  el.dataset.ready = "1";
  return () => { resized.disconnect(); store.close(); };
}
