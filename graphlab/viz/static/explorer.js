// The explorer: one picture, one panel beside it, one focus through everything.

import { h } from "./dom.js";
import { createStore } from "./store.js";
import { keepFocus, tabbed } from "./reach.js";
import { graphPanel } from "./graph.js";
import { timelinePanel } from "./timeline.js";
import { stepperPanel } from "./stepper.js";
import { codePanel } from "./code.js";
import { nodesPanel } from "./nodes.js";
import { profilePanel } from "./profile.js";
import { inspectorPanel } from "./inspector.js";
import { troublesLine } from "./troubles.js";
import { valuePanel } from "./value.js";

// What a tab shows beside the graph. Its number is its key.
const TABS = [
  ["rewrites", "Timeline", ["rewrites"]], ["graph", "Graph", ["inspect"]], ["inspect", "Inspector", ["inspect", "value"]],
  ["step", "Stepper", ["step", "value"]], ["value", "Value", ["value"]], ["code", "Code", ["code"]],
  ["profile", "Profile", ["profile", "inspect"]], ["nodes", "Nodes", ["nodes", "inspect"]],
];

export function render({ model, el }) {
  const store = createStore(model, el), { trace } = store;
  // A panel is its element, what to do when it is opened, and the keys that it has: {key: [what it does, act]}.
  const graph = graphPanel(store);
  const panels = {
    rewrites: timelinePanel(store), inspect: inspectorPanel(store), step: stepperPanel(store), value: valuePanel(store),
    code: codePanel(store), profile: profilePanel(store), nodes: nodesPanel(store),
  };
  const count = { rewrites: trace.rewrites.length, step: trace.steps.length };
  const tabs = TABS.map(([name, text]) => h("button", {
    type: "button", role: "tab", "data-view": name, "data-testid": `gl-tab-${name}`, onclick: () => store.set("view", name),
  }, text, count[name] ? h("span", { class: "gl-count" }, String(count[name])) : null));
  const side = h("div", { class: "gl-side", tabindex: 0 });
  const status = h("span", { class: "gl-grow", "data-testid": "gl-status" });
  const error = h("span", { class: "gl-error", role: "alert", "data-testid": "gl-error" });
  const gone = h("span", { class: "gl-gone", role: "status", "data-testid": "gl-gone" });
  const tablist = h("div", { class: "gl-tabs", role: "tablist", "aria-label": "Panels" }, tabs);
  const select = tabbed(tablist, side, (name) => store.set("view", name));
  const root = h("div", { class: "gl-root", tabindex: -1, "data-testid": "gl-explorer", "data-holds": store.get("parts")?.join(" "), "data-lm-suppress-shortcuts": true },
    h("header", { class: "gl-head" }, h("strong", { role: "heading", "aria-level": 1 }, trace.function.name), h("code", {}, trace.function.expression)),
    troublesLine(store), tablist,
    h("div", { class: "gl-main" }, graph.element, side),
    h("footer", { class: "gl-foot" }, status, gone, error,
      h("button", { type: "button", class: "gl-dim", "data-testid": "gl-help", onclick: () => help() }, "? keys")));
  el.replaceChildren(root);

  function turn() {
    const [view, , shown] = TABS.find(([name]) => name === store.get("view")) ?? TABS[1];
    select(view);
    side.replaceChildren(...shown.map((name) => panels[name].element));
    root.dataset.view = view;
    // What runs is the optimised graph.
    if (["step", "code"].includes(view) && /^(before|step-.*)$/.test(store.get("graph"))) store.set("graph", "after");
    for (const name of shown) panels[name].open();
  }

  function tell() {
    const words = (n, word) => `${n} ${word}${n === 1 ? "" : "s"}`;
    const { layout, why } = graph.layout();
    const sizes = ["before", "after"].map((name) => trace.graphs[name].nodes.length);
    status.textContent = [`${sizes[0]} → ${sizes[1]} nodes`, words(trace.rewrites.length, "rewrite"),
      words(trace.kernels.length, "kernel"), layout && `layout: ${layout}${why ? ` (${why})` : ""}`, 
      trace.truncated && `truncated: ${trace.truncated.toLocaleString("en")} nodes are not in this page`, store.get("holds")].filter(Boolean).join(" · ");
    error.textContent = store.get("error");
    gone.textContent = store.live() ? "" : "disconnected: what is here stays; run the cell again to go on";
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

  const keys = {
    ...Object.assign({}, graph.keys, ...Object.values(panels).map((panel) => panel.keys)),
    Escape: ["leave", () => leave()], "?": ["keys", () => help()],
  };
  TABS.forEach(([name, text], k) => { keys[k + 1] = [text, () => store.set("view", name)]; });
  for (const name of ["ArrowUp", "ArrowDown", "ArrowLeft", "ArrowRight"]) keys[name] = ["walk the graph", () => walk(name)];
  const shown = (key) => key.replace("ArrowUp", "↑").replace("ArrowDown", "↓").replace("ArrowLeft", "←").replace("ArrowRight", "→");
  const card = h("dialog", { class: "gl-keys", "aria-label": "Keys", "data-testid": "gl-keys" },
    h("dl", {}, Object.entries(keys).map(([key, [what]]) => h("div", {}, h("dt", {}, h("kbd", {}, shown(key))), h("dd", {}, what)))),
    h("form", { method: "dialog" }, h("button", { autofocus: true }, "Close")));
  root.append(card);
  // To the cell around it, where a notebook listens to keys; a report has none.
  const leave = () => { document.activeElement?.blur(); el.parentElement?.closest("[tabindex]")?.focus({ preventScroll: true }); };
  const help = () => (card.open ? card.close() : card.showModal());

  root.addEventListener("keydown", (event) => {
    const slides = event.target.type === "range" && /^(Arrow|Page|Home|End)/.test(event.key);
    const typing = slides || event.target.matches("input:not([type=range], [type=checkbox]), textarea, select");
    if (event.ctrlKey || event.metaKey || event.altKey || (typing && event.key !== "Escape")) return;
    if (card.open) return;
    const [, act] = Object.hasOwn(keys, event.key) ? keys[event.key] : [];
    if (act) { event.preventDefault(); event.stopPropagation(); act(); }
  });

  store.listen("change:view", turn);
  store.listen("change:error", tell);
  store.listen("change:picture", tell);
  store.listen("comm_live_update", tell);
  turn();
  tell();
  graph.draw();
  el.dataset.ready = "1";
  const forget = keepFocus(root);
  return () => { forget(); store.close(); };
}
