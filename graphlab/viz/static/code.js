// The user's lines, the generated C and its machine code beside each other: picking a line of one lights the others.

import { drawn, h, light, reveal } from "./dom.js";

const SIGNS = { vectorized: "✓", missed: "✗", untried: "○" }; // what the compiler said of a loop

export function codePanel(store) {
  const { trace } = store, listings = store.get("listings"), kernels = trace.kernels.map((kernel) => kernel.name);
  const box = (name, label, markup = "") => drawn("div", { class: `gl-listing gl-${name}`, "data-testid": `gl-${name}`, role: "region", "aria-label": label, tabindex: 0 }, markup);
  const python = box("python", "Your lines"), c = box("c", "Generated C"), machine = box("assembly", "Assembly");
  const wanted = trace.code.text !== "", flags = trace.build?.flags ?? [];
  const none = h("p", { class: "gl-empty" }, store.holds("code") ? "No C: this function runs in NumPy." : "This report was written without code.");
  const choose = h("select", { "aria-label": "Kernel", "data-testid": "gl-kernel", onchange: () => show(choose.value) },
    kernels.map((name) => h("option", { value: name }, name)));
  const ask = h("button", { type: "button", class: "gl-chip", "data-testid": "gl-show-assembly", onclick: () => show(near()) }, "Show assembly");
  const note = h("span", { class: "gl-dim" }), built = h("span", { class: "gl-dim" });
  const column = (title, ...parts) => h("section", { class: "gl-column" }, h("h3", {}, title), ...parts);
  const assembly = column("Assembly", h("div", { class: "gl-asked" }, kernels.length > 1 ? choose : null, ask, note), machine);
  const element = h("div", { class: "gl-panel gl-code-panel" },
    h("div", { class: "gl-sources" }, column("Your lines", python), column("Generated C", wanted ? c : none), wanted && kernels.length ? assembly : null),
    flags.length ? h("details", { class: "gl-flags", ontoggle: tellBuild }, h("summary", {}, "Compiler and flags"), h("p", {}, built), h("code", {}, flags.join(" "))) : null);
  let line = "", shown = "", wish = "";

  // The kernel of what is focused, else the first.
  const near = () => { const ids = store.lit(); return (trace.kernels.find((kernel) => kernel.nodes.some((id) => ids.has(id))) ?? trace.kernels[0]).name; };

  // Machine code is made when somebody wants to see it: the compiler runs once more.
  async function show(name) {
    wish = choose.value = name;
    note.textContent = "compiling once more …";
    const found = await store.ask("assembly", name);
    if (wish !== name) return;
    note.textContent = found.showing ?? found.waiting ?? "Machine code is not in this report: it is with include=(…, \"assembly\").";
    if (!found.html) return;
    ask.remove();
    shown = name;
    machine.innerHTML = found.html;
    for (const old of c.querySelectorAll(".gl-remark")) old.remove();
    for (const [number, kind, message] of found.remarks)
      c.querySelector(`li[data-line="${number}"]`)?.after(h("li", { class: `gl-remark gl-${kind}`, "data-line": "" }, h("span", {}, `${SIGNS[kind] ?? ""} ${kind}: ${message}`)));
    mark();
  }
  async function tellBuild() { if (!built.textContent) built.textContent = (await store.ask("build", "how")).text ?? trace.build?.compiler ?? ""; }

  function pick(event) {
    const item = event.target.closest("li");
    if (!item || String(getSelection())) return;
    line = item.dataset.c ?? (c.contains(item) && item.dataset.line) ?? "";
    if (item.dataset.nodes) store.focus(item.dataset.nodes.split(" "));
    mark(item);
  }
  // What computes the focused nodes; and of a line of C that was picked just its instructions, the other way round too.
  function mark(picked = null) {
    const ids = store.lit();
    for (const each of [python, c, machine]) {
      let first = light(each, ids);
      for (const item of each === python ? [] : each.querySelectorAll("li.is-line")) item.classList.remove("is-line");
      const name = each === c ? "data-line" : "data-c", lines = line && each !== python ? [...each.querySelectorAll(`li[${name}="${CSS.escape(line)}"]`)] : [];
      for (const item of lines) item.classList.add("is-line");
      first = lines[0] ?? first;
      if (first && each.clientHeight && !each.contains(picked)) reveal(each, first);
    }
  }
  function follow() {
    const item = line && c.querySelector(`li[data-line="${CSS.escape(line)}"]`), ids = store.lit();
    if (item && !item.dataset.nodes?.split(" ").some((id) => ids.has(id))) line = "";
    const kernel = shown && trace.kernels.find((one) => one.nodes.some((id) => ids.has(id)));
    if (kernel && kernel.name !== wish && store.get("view") === "code") show(kernel.name); else mark();
  }
  // Code is put into the page when somebody looks: it may be most of it.
  async function open() {
    if (!python.innerHTML) {
      const found = listings.python === undefined ? await store.ask("listings", "all") : listings;
      [python.innerHTML, c.innerHTML] = [found.python ?? "", found.c ?? ""];
    }
    mark();
  }
  for (const each of [python, c, machine]) {
    each.addEventListener("click", pick);
    each.addEventListener("keydown", (event) => { if (event.key === "Enter") pick(event); });
  }
  store.listen("change:focus", follow);
  return { element, open };
}
