// Where the time of a call went: the steps below the machine's limits and in a table, the dearest first. Before any
// call: what the kernels are estimated to take.

import { drawn, h, light, reveal } from "./dom.js";

// The table is read from left to right: how long, what, how well, how much.
const ORDER = ["share", "time", "step", "ops", "of the machine", "GFLOP/s", "GB/s", "read", "written", "memory", "lines"];

export function profilePanel(store) {
  const { trace } = store;
  const button = h("button", { type: "button", "data-testid": "gl-profile-call", onclick: measure }, "Profile this call");
  const said = h("span", { class: "gl-dim", role: "status" });
  const live = trace.steps.length > 0 && store.get("parts") === undefined; // a report can't run anything
  const element = h("div", { class: "gl-panel gl-profile-panel" });
  let table = null, plot = null, detail = null, chosen = -1;

  async function measure() {
    button.disabled = true;
    said.textContent = "running the call again and again …";
    const found = await store.ask("profile", `now@${performance.now()}`);
    button.disabled = false;
    said.textContent = found.absent ?? "";
    if (found.cells) draw(found);
  }

  function draw(profile) {
    const bar = h("div", { class: "gl-bar" }, h("span", { class: "gl-num gl-grow" }, profile?.headline ?? ""), said, live ? button : null);
    if (!profile) return element.replaceChildren(bar, ...before());
    const { cells: [titles, ...cells], shares, nodes, details } = profile;
    const columns = ORDER.map((name) => titles.indexOf(name)).filter((k) => k >= 0);
    const rows = cells.map((texts, k) => h("tr", {
      "data-nodes": nodes[k].join(" "), "data-row": k, tabindex: 0, onclick: () => show(k),
      onkeydown: (event) => { if (event.key === "Enter") show(k); },
    }, h("td", {}, h("meter", { min: 0, max: 1, value: shares[k], "aria-label": `${texts[0]} of the time` })),
       columns.map((column) => h("td", { class: column < 8 ? "gl-right" : "", title: texts[column] }, texts[column]))));
    const head = [h("th", { scope: "col", "aria-label": "share of the time" }), ...columns.map((k) => h("th", { scope: "col", class: k < 8 ? "gl-right" : "" }, titles[k]))];
    table = h("table", { class: "gl-table", "data-testid": "gl-profile" }, h("thead", {}, h("tr", {}, head)), h("tbody", {}, rows));
    plot = drawn("div", { class: "gl-roof-box", "data-testid": "gl-roofline" }, profile.roofline ?? "");
    plot.addEventListener("click", pick);
    plot.addEventListener("keydown", (event) => { if (event.key === "Enter" || event.key === " ") { event.preventDefault(); pick(event); } });
    detail = h("dl", { class: "gl-stats gl-row-facts", "aria-live": "polite" });
    element.replaceChildren(bar, profile.roofline ? plot : "", h("p", { class: "gl-dim gl-machine" }, `${profile.machine} · times are measured, operations and bytes estimated`),
      detail, h("div", { class: "gl-list" }, table));
    function pick(event) {
      const point = event.target.closest("[data-step]");
      if (point) show(profile.rows ? cells.findIndex((texts) => texts[titles.indexOf("step")].split(" ")[0] === point.dataset.step) : -1);
    }
    function show(k) {
      chosen = k;
      detail.replaceChildren(...(details?.[k] ?? []).map(([name, text]) => h("div", {}, h("dt", {}, name), h("dd", {}, text))));
      if (nodes[k]?.length) store.focus(nodes[k]);
      mark();
    }
    mark();
  }

  // Nothing has run: what can be said all the same.
  function before() {
    const kernels = trace.kernels.filter((kernel) => kernel.estimate);
    const hint = h("p", { class: "gl-empty" }, !store.holds("profile") && store.get("parts") ? "No profile is in this report: f.report(…, args=…, include=(…, \"profile\")) makes one."
      : live ? "No profile yet." : ["No profile. Make one with ", h("code", {}, "f.explore(profile=f.profile(...))"), ", or open ", h("code", {}, "f.debug(...)"), " and profile that call."]);
    if (!kernels.length) return [hint];
    const head = ["kernel", "operations", "read", "written", "per byte", "of"].map((text) => h("th", { scope: "col" }, text));
    table = h("table", { class: "gl-table", "data-testid": "gl-estimates" }, h("thead", {}, h("tr", {}, head)), h("tbody", {}, kernels.map((kernel) => h("tr", {
      "data-nodes": kernel.nodes.join(" "), tabindex: 0, onclick: () => store.focus(kernel.nodes), onkeydown: (event) => { if (event.key === "Enter") store.focus(kernel.nodes); } },
      h("td", {}, kernel.name), kernel.estimate.map((text, k) => h("td", { class: k < 4 ? "gl-right" : "gl-dim" }, text))))));
    return [hint, h("h3", { class: "gl-estimated" }, "Estimated, before any call"), h("div", { class: "gl-list" }, table)];
  }

  function mark() {
    if (!table) return;
    const lit = store.lit(), first = light(table, lit), list = table.parentElement;
    for (const row of table.querySelectorAll("[data-row]")) row.classList.toggle("is-chosen", Number(row.dataset.row) === chosen);
    if (plot) light(plot, lit);
    if (first && list.clientHeight) reveal(list, first);
  }

  draw(trace.profile);
  store.listen("change:focus", mark);
  return { element, open: mark };
}
