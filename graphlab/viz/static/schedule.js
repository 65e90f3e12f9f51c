// The steps of the level where the run stands, as a list of which only what is in sight is drawn: there may be many.

import { h } from "./dom.js";
import { label } from "./store.js";

const ROW = 27, MARGIN = 8; // pixels, and rows drawn above and below
const MOST = 500_000; // rows: a page can't be higher

export function schedule(store, { go, enter }) {
  const { trace, nodes } = store;
  const space = h("div", { class: "gl-steps-space" });
  const list = h("div", { class: "gl-list gl-steps", role: "group", "aria-label": "Steps", tabindex: -1, "data-testid": "gl-steps" }, space);
  const rows = new Map();
  let here = null, chunks = new Map(), size = 1;

  const own = () => here.level === 0; // the steps that the trace has
  function step(k) {
    if (own()) return trace.steps[k];
    return chunks.get(Math.floor(k / size))?.[k % size];
  }

  // The steps of a level inside come as they are looked at.
  async function fetch(k) {
    const chunk = Math.floor(k / size), { level } = here, of = chunks;
    if (own() || of.has(chunk)) return;
    of.set(chunk, []);
    const answer = await store.ask("steps", `${level}:${chunk * size}`);
    of.set(chunk, answer.rows ?? []);
    if (of === chunks) draw(true);
  }

  function row(k) {
    const one = step(k);
    if (!one) return h("div", { class: "gl-row gl-dim" }, String(k));
    const names = one.nodes.map((id) => label(nodes.get(id))).join(", ") || one.name;
    const types = one.outputs.map(([id, output]) => nodes.get(id)?.outputs[output]?.type ?? "").join(", ");
    const opens = ["kernel", "loop", "branch", "turn"].includes(one.kind) || one.nodes.some((id) => nodes.get(id).inside.length);
    return h("button", {
      type: "button", class: "gl-row", "data-nodes": one.nodes.join(" "), "data-step": k, "data-testid": `gl-step-${k}`,
      title: `Run up to and including step ${k}: ${names}${opens ? " (double click: go inside)" : ""}`,
      onclick: (event) => (event.target.closest("[data-enter]") ? enter(k) : go(k + 1)), ondblclick: () => opens && enter(k),
    }, h("span", { class: "gl-stop", "aria-hidden": "true" }), h("span", { class: "gl-num gl-dim" }, String(k)), h("span", { class: "gl-kind" }, one.kind),
       h("span", { class: "gl-mono gl-grow" }, names), h("span", { class: "gl-dim gl-mono" }, types),
       opens ? h("span", { class: "gl-inward", "data-enter": "", title: "Go inside (e, when it is next)" }, "↳") : h("span", { class: "gl-inward" }));
  }

  function mark(element, k, stops, lit) {
    const next = k === here.position, stop = stops.get(k);
    element.classList.toggle("is-done", k < here.position);
    element.classList.toggle("is-next", next);
    element.classList.toggle("is-focus", (step(k)?.nodes ?? []).some((id) => lit.has(id)));
    if (next) element.setAttribute("aria-current", "step"); else element.removeAttribute("aria-current");
    const sign = element.querySelector(".gl-stop");
    if (sign) sign.textContent = stop === undefined ? "" : stop ? "●" : "○";
  }

  function draw(anew = false) {
    if (!here) return;
    const count = Math.min(here.count, MOST), high = list.clientHeight || 400;
    const first = Math.max(Math.floor(list.scrollTop / ROW) - MARGIN, 0);
    const last = Math.min(Math.ceil((list.scrollTop + high) / ROW) + MARGIN, count);
    const stops = new Map(), lit = store.lit();
    for (const b of store.get("session").breakpoints ?? []) for (const k of b.steps) stops.set(k, stops.get(k) || b.enabled);
    for (const [k, element] of rows) if (anew || k < first || k >= last) { element.remove(); rows.delete(k); }
    for (let k = first; k < last; k++) {
      fetch(k);
      if (!rows.has(k)) {
        const element = row(k), after = [...rows].filter(([other]) => other > k).sort(([a], [b]) => a - b)[0]?.[1];
        element.style.top = `${k * ROW}px`;
        space.insertBefore(element, after ?? null);
        rows.set(k, element);
      }
      mark(rows.get(k), k, stops, lit);
    }
  }

  // The level and the position that the session has now; the step that is next comes into sight.
  function show(path) {
    const level = path.at(-1), other = here?.level !== level.level || here?.count !== level.count;
    here = level;
    if (other) {
      [chunks, size] = [new Map(), 200];
      list.scrollTop = 0;
      space.style.height = `${Math.min(level.count, MOST) * ROW}px`;
    }
    const top = Math.min(level.position, level.count - 1) * ROW, high = list.clientHeight;
    if (high && (top < list.scrollTop || top + ROW > list.scrollTop + high)) list.scrollTop = Math.max(top - high / 3, 0);
    draw(other);
  }

  list.addEventListener("scroll", () => draw());
  store.listen("change:focus", () => draw());
  new ResizeObserver(() => draw()).observe(list);
  return { element: list, show };
}
