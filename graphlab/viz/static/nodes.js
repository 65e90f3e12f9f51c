// Every node in a table that finds them by anything said of them: for those who search, and those who can't see the picture.

import { h, light } from "./dom.js";
import { reveal } from "./reveal.js";
import { windowed } from "./window.js";

const ROW = 27; // px
const HEAD = ["", "op", "name", "type", "inputs", "line", "graph"];

export function nodesPanel(store) {
  const { trace, nodes } = store;
  const twin = Object.fromEntries(Object.entries(trace.twins).map(([after, before]) => [before, after]));
  const inside = (name) => new Set(trace.graphs[name].nodes), before = inside("before"), after = inside("after");
  const held = new Set(trace.nodes.flatMap((node) => node.inside.flatMap((one) => one.nodes ?? [])));
  const where = (id) => (before.has(id) ? (after.has(id) || id in twin ? "both" : "before")
    : after.has(id) ? "after" : held.has(id) ? "inside" : "on the way");
  const all = trace.nodes.filter((node) => !(node.id in trace.twins) || trace.twins[node.id] === node.id);

  const search = h("input", { type: "search", placeholder: "name, op, line, rule, dtype, shape  ( / )", "aria-label": "Search nodes",
    "data-testid": "gl-search", oninput: filter, onkeydown: (event) => { if (event.key === "Enter" && found[0]) go(found[0].id); } });
  const count = h("span", { class: "gl-dim gl-num", role: "status", "aria-live": "polite", "data-testid": "gl-found" });
  const body = h("tbody", {}), head = h("tr", {}, HEAD.map((text) => h("th", { scope: "col" }, text)));
  const table = h("table", { class: "gl-table gl-nodes", "data-testid": "gl-table" }, h("thead", {}, head), body);
  const box = h("div", { class: "gl-list" }, table);
  const rows = windowed(box, body, "tr", ROW, row, () => light(body, store.lit()));
  const element = h("div", { class: "gl-panel" }, h("div", { class: "gl-bar" }, search, count), box);
  let found = [], texts = null, place = new Map();

  function row(node, k) {
    const cell = (text, name = "") => h("td", { class: name, title: text }, text);
    return h("tr", {
      "data-nodes": [node.id, twin[node.id]].filter(Boolean).join(" "), tabindex: 0, "aria-rowindex": k + 2,
      onclick: () => go(node.id), onkeydown: (event) => walk(event, node, k),
    }, cell(node.id, "gl-dim"), cell(node.kind === "op" ? node.text : node.kind), cell(node.name ?? (node.kind === "constant" ? node.text : "")),
      cell(node.outputs.map((output) => output.type).join(", ")),
      cell(node.inputs.map(([id]) => nodes.get(id).name ?? id).join(", "), "gl-dim"),
      cell(node.origins.map((k) => trace.sources[k].label).join(", "), "gl-dim"), cell(where(node.id), "gl-dim"));
  }

  const go = (id) => reveal(store, id);

  // In the table the arrows go from row to row.
  function walk(event, node, k) {
    if (event.key === "Enter") { event.preventDefault(); event.stopPropagation(); return go(node.id); }
    const next = k + ({ ArrowDown: 1, ArrowUp: -1 }[event.key] ?? 0);
    if (next === k || !found[next]) return;
    event.preventDefault();
    event.stopPropagation();
    rows.reveal(next)?.focus({ preventScroll: true });
  }

  // All that is said of a node, in one text: made when somebody first searches.
  function said(node) {
    const lines = node.origins.map((k) => `${trace.sources[k].label} ${trace.sources[k].text}`);
    return [node.id, node.name ?? "", node.text, node.kind, node.family, node.rule ?? "", ...node.outputs.map((output) => output.type),
      ...lines, node.scope.join("/"), node.gradient ? "gradient" : "", where(node.id)].join("\n").toLowerCase();
  }

  function filter() {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    if (words.length) texts ??= all.map(said);
    found = words.length ? all.filter((_, k) => words.every((word) => texts[k].includes(word))) : all;
    place = new Map(found.map((node, k) => [node.id, k]));
    const left = trace.truncated ? `, ${trace.truncated.toLocaleString("en")} not sent` : "";
    count.textContent = `${found.length.toLocaleString("en")} of ${all.length.toLocaleString("en")} nodes${left}`;
    table.setAttribute("aria-rowcount", found.length + 1);
    rows.show(found);
  }

  function follow() {
    if (!box.clientHeight) return;
    const k = [...store.lit()].map((id) => place.get(id)).find((at) => at !== undefined);
    if (k !== undefined) rows.reveal(k);
    light(body, store.lit());
  }

  store.listen("change:focus", follow);
  filter();
  const keys = { "/": ["search", () => { store.set("view", "nodes"); search.focus(); search.select(); }] };
  return { element, keys, open: () => { rows.paint(); follow(); } };
}
