// Where the time of a call went: the steps in a table, the dearest first, each with its nodes.

import { h, light } from "./dom.js";

export function profilePanel(store) {
  if (!store.trace.profile) {
    const hint = h("p", { class: "gl-empty" }, "No profile. Make one with ", h("code", {}, "f.explore(profile=f.profile(...))"), ".");
    return { element: h("div", { class: "gl-panel" }, hint), open: () => {} };
  }
  const { headline, cells: [titles, ...cells], shares, nodes } = store.trace.profile;
  const rows = cells.map((texts, k) => h("tr", {
    "data-nodes": nodes[k].join(" "), tabindex: 0, onclick: () => show(k),
    onkeydown: (event) => { if (event.key === "Enter") show(k); },
  }, h("td", {}, h("meter", { min: 0, max: 1, value: shares[k], "aria-label": `${texts[0]} of the time` })),
     texts.map((text) => h("td", {}, text))));
  const head = ["", ...titles].map((text) => h("th", { scope: "col" }, text));
  const table = h("table", { class: "gl-table", "data-testid": "gl-profile" }, h("thead", {}, h("tr", {}, head)), h("tbody", {}, rows));
  const element = h("div", { class: "gl-panel" }, h("div", { class: "gl-bar" }, h("span", { class: "gl-num" }, headline)),
    h("div", { class: "gl-list" }, table));

  function show(k) { if (nodes[k].length) store.focus(nodes[k][0]); }
  store.listen("change:focus", () => light(table, store.lit()));
  return { element, open: () => light(table, store.lit()) };
}
