// Every node in a table: the graph for those who search, and for those who cannot see the picture.

import { h, light, reveal } from "./dom.js";

export function tablePanel(store) {
  const { trace, nodes } = store;
  const inside = (name) => new Set(trace.graphs[name].nodes);
  const before = inside("before"), after = inside("after");
  const where = (id) => (before.has(id) ? (after.has(id) || id in twin ? "both" : "before") : "after");
  const twin = Object.fromEntries(Object.entries(trace.twins).map(([a, b]) => [b, a]));
  const shown = trace.nodes.filter((node) => (before.has(node.id) || after.has(node.id)) && !isCopy(node.id));
  const search = h("input", { type: "search", placeholder: "Search nodes  ( / )", "aria-label": "Search nodes",
    "data-testid": "gl-search", oninput: filter });
  const count = h("span", { class: "gl-dim gl-num" });
  const rows = shown.map((node) => h("tr", {
    "data-nodes": [node.id, twin[node.id]].filter(Boolean).join(" "), tabindex: 0, onclick: () => store.focus(node.id),
    onkeydown: (event) => { if (event.key === "Enter") store.focus(node.id); },
  }, cell(node.id, "gl-dim"), cell(node.kind === "op" ? node.text : node.kind), cell(node.name ?? (node.kind === "constant" ? node.text : "")),
     cell(node.outputs.map((output) => output.type).join(", ")),
     cell(node.inputs.map(([id]) => nodes.get(id).name ?? id).join(", "), "gl-dim"),
     cell(node.origins.map((k) => trace.sources[k].label).join(", "), "gl-dim"), cell(where(node.id), "gl-dim")));
  const head = ["", "op", "name", "type", "inputs", "line", "graph"].map((text) => h("th", { scope: "col" }, text));
  const table = h("table", { class: "gl-table", "data-testid": "gl-table" }, h("thead", {}, h("tr", {}, head)), h("tbody", {}, rows));
  const box = h("div", { class: "gl-list" }, table);
  const element = h("div", { class: "gl-panel" }, h("div", { class: "gl-bar" }, search, count), box);

  function isCopy(id) { return id in trace.twins && trace.twins[id] !== id; }
  function cell(text, name = "") { return h("td", { class: name }, text); }
  function filter() {
    const wanted = search.value.toLowerCase();
    for (const row of rows) row.hidden = !row.textContent.toLowerCase().includes(wanted);
    const left = rows.filter((row) => !row.hidden).length;
    count.textContent = `${left} of ${rows.length} nodes`;
  }

  store.listen("change:focus", () => {
    const first = light(table, store.lit());
    if (first && box.clientHeight) reveal(box, first);
  });
  filter();
  const keys = { "/": ["search", () => { store.set("view", "nodes"); search.focus(); }] };
  return { element, keys, open: () => light(table, store.lit()) };
}
