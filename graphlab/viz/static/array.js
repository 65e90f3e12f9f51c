// One array: its statistics, what is not finite, a window of its elements, and what they look like. Other slices and
// windows are asked for when somebody wants to see them.

import { drawn, h } from "./dom.js";

const GLYPHS = [["nan", "×"], ["-inf", "▼"], ["inf", "▲"]]; // NaN and infinities are told by shape
const glyph = (text) => (GLYPHS.find(([name]) => text.includes(name)) ?? [])[1];
const sign = (text) => glyph(text) && h("i", { "aria-hidden": "true" }, glyph(text));

// `ask(at, corner)` brings another window, `pick(index)` hears which element was chosen here, `chosen()` says which was elsewhere.
export function arrayView(output, { ask, pick: picked, chosen: said }) {
  const { shape } = output;
  let seen = output, turned = 0, chosen = null;
  const table = h("tbody", {}), head = h("thead", {}), chart = h("div", { class: "gl-plot" }), showing = h("span", { class: "gl-dim" });
  const sliders = shape.slice(0, -2).map((extent, axis) => slider(axis, extent));
  const pagers = [pager("rows", 0), pager("columns", 1)];
  const jump = h("input", { class: "gl-jump", type: "text", inputmode: "numeric", size: 9, placeholder: `go to ${shape.map(() => 0).join(", ")}`,
    "aria-label": "Go to the element with this index", "data-testid": "gl-jump", onkeydown: (event) => {
      const index = jump.value.split(/[,\s[\]()]+/).filter(Boolean).map(Number);
      if (event.key !== "Enter") return;
      const inside = index.length === shape.length && index.every((i, axis) => Number.isInteger(i) && i >= 0 && i < shape[axis]);
      jump.toggleAttribute("aria-invalid", !inside);
      if (inside) pick(index);
    } });

  const is = (part, at, corner) => `${part.at};${part.corner}` === `${at};${corner}`;
  // Go to `corner` of the slice `at`; what the page does not hold leaves all as it is.
  async function turn(at, corner) {
    const ticket = ++turned, first = is(output, at, corner);
    const part = first ? output : await ask(at, corner);
    if (ticket !== turned) return;
    if (part.elements) seen = part;
    show();
  }
  // Make an element the one that is looked at, and bring it into the window.
  function pick(index) {
    const at = index.slice(0, -2), last = index.slice(-2);
    chosen = index.join();
    picked?.(chosen);
    const corner = seen.page.map((size, axis) => Math.floor((last[axis] ?? 0) / size) * size);
    if (is(seen, at, corner)) show(); else turn(at, corner);
  }
  function slider(axis, extent) {
    const text = h("output", { class: "gl-num" }), odd = output.slices[axis] ?? [];
    const range = h("input", { type: "range", min: 0, max: extent - 1, "aria-label": `Index on axis ${axis}`, "data-testid": `gl-slice-${axis}`,
      oninput: () => turn(seen.at.map((at, other) => (other === axis ? Number(range.value) : at)), seen.corner) });
    const show = () => { range.value = seen.at[axis]; text.textContent = `${seen.at[axis]} (of 0–${extent - 1})`; };
    const told = odd.length ? h("span", { class: "gl-dim" }, ` not finite at ${odd.join(", ")}${odd.length > 7 ? ", …" : ""}`) : null;
    return { show, element: h("label", { class: "gl-slice" }, `axis ${axis}`, range, text, told) };
  }
  function pager(name, axis) {
    const text = h("span", { class: "gl-num" });
    const move = (by) => turn(seen.at, seen.corner.map((at, other) => (other === axis ? at + by * seen.page[axis] : at)));
    const [back, next] = [["‹", -1, "Previous"], ["›", 1, "Next"]].map(([sign, by, word]) => h("button", {
      type: "button", "aria-label": `${word} ${name}`, "data-testid": `gl-${word.toLowerCase()}-${name}`, onclick: () => move(by) }, sign));
    const show = () => {
      const first = seen.corner[axis], [size, all] = [seen.page[axis], seen.of[axis]];
      element.hidden = all <= size;
      text.textContent = `${shape.length < 2 ? "elements" : name} ${first}–${Math.min(first + size, all) - 1} of ${all.toLocaleString("en")}`;
      [back.disabled, next.disabled] = [first === 0, first + size >= all];
    };
    const element = h("span", { class: "gl-pager" }, back, text, next);
    return { show, element };
  }
  const index = (row, column) => (shape.length < 2 ? shape.map(() => row + column) : [...seen.at, row, column]);
  function show() {
    const { rows, columns } = seen;
    chosen = said?.() ?? chosen;
    head.replaceChildren(...(shape.length ? [h("tr", {}, h("th", { scope: "col", "aria-label": "row" }), columns.map((c) => h("th", { scope: "col" }, shape.length < 2 && seen.of[0] > 8 ? `+${c}` : c)))] : []));
    table.replaceChildren(...seen.elements.map((line, i) => h("tr", {}, shape.length ? h("th", { scope: "row" }, rows[i]) : null,
      line.map((text, j) => {
        const at = index(rows[i], columns[j]).join(), name = [glyph(text) && "gl-odd", at === chosen && "is-element"].filter(Boolean).join(" ");
        return h("td", { title: text, "data-index": at, class: name }, sign(text), short(text));
      }))));
    showing.textContent = seen.showing;
    for (const part of [...sliders, ...pagers]) part.show();
    chart.replaceChildren(...(seen.chart ? [drawn("div", {}, seen.chart)] : []));
  }
  // The picture leads to the elements under it.
  function look(event) {
    const svg = event.target.closest("svg"), box = svg?.getBoundingClientRect();
    if (!svg) return;
    const { rows, columns, width, height, axis } = svg.dataset, scale = svg.viewBox.baseVal.width / box.width;
    const x = (event.clientX - box.left) * scale, y = (event.clientY - box.top) * scale;
    const at = axis ? [Math.floor((x / svg.viewBox.baseVal.width) * axis), 0] : [Math.floor((y / height) * rows), Math.floor((x / width) * columns)];
    if (at.every((i, k) => i >= 0 && i < seen.of[k])) turn(seen.at, at.map((i, k) => Math.floor(i / seen.page[k]) * seen.page[k]));
  }
  chart.addEventListener("click", look);
  table.addEventListener("click", (event) => {
    const cell = event.target.closest("[data-index]");
    if (cell && !String(getSelection())) pick(cell.dataset.index.split(",").filter(Boolean).map(Number));
  });
  show();
  const odd = output.offenders;
  const element = h("div", { class: "gl-one" },
    output.how ? h("p", { class: "gl-how" }, `↻ ${output.how}`) : null,
    h("dl", { class: "gl-stats" }, output.facts.map(([name, text]) => h("div", { class: glyph(name) && text !== "0" ? "gl-odd" : "" },
      h("dt", {}, text !== "0" && sign(name), name), h("dd", {}, text)))),
    odd.length ? h("p", { class: "gl-offenders", "data-testid": "gl-offenders" }, h("span", { class: "gl-dim" }, "first not finite "),
      odd.map(([at, text]) => h("button", { type: "button", class: "gl-chip", onclick: () => pick(at) }, sign(text), `[${at.join(", ")}] ${text}`))) : null,
    sliders.map((each) => each.element), h("table", { class: "gl-elements" }, head, table),
    h("div", { class: "gl-under" }, pagers.map((each) => each.element), shape.length && seen.elements.length ? jump : null, showing),
    h("div", { class: "gl-charts" }, chart, output.histogram ? drawn("div", {}, output.histogram) : null));
  return { element, show };
}

// Four digits tell numbers apart at a glance; the title has them all.
function short(text) {
  return text.length > 7 && /[.e]/.test(text) && isFinite(text) ? String(Number(Number(text).toPrecision(4))) : text;
}
