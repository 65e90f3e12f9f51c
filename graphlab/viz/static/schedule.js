// The steps of the level where the run stands. Of a level inside they come as they are looked at: there may be many.

import { h } from "./dom.js";
import { label } from "./store.js";
import { windowed } from "./window.js";

const ROW = 27, PART = 200; // pixels of a row; steps in one answer
const MOST = 500_000; // rows: a page can't be higher

export function schedule(store, { go, enter }) {
  const { trace, nodes } = store;
  const space = h("div", {});
  const list = h("div", { class: "gl-list gl-steps", role: "group", "aria-label": "Steps", tabindex: -1, "data-testid": "gl-steps" }, space);
  const rows = windowed(list, space, "div", ROW, (k) => row(k), mark);
  let here = null, parts = new Map();

  function step(k) {
    if (here.level === 0) return trace.steps[k]; // the function itself is in the trace
    const part = Math.floor(k / PART);
    if (!parts.has(part)) fetch(part);
    return parts.get(part)[k % PART];
  }

  async function fetch(part) {
    const of = parts.set(part, []), answer = await store.ask("steps", `${here.level}:${part * PART}`);
    of.set(part, answer.rows ?? []);
    if (of !== parts) return;
    const top = list.scrollTop; // while there are no rows, the list is shorter
    listAll();
    list.scrollTop = top;
    rows.paint();
  }

  function row(k) {
    const one = step(k);
    if (!one) return h("div", { class: "gl-row gl-dim" }, String(k));
    const known = one.nodes.filter((id) => nodes.has(id)), names = known.map((id) => label(nodes.get(id))).join(", ") || one.name;
    const types = one.outputs.map(([id, output]) => nodes.get(id)?.outputs[output]?.type ?? "").join(", ");
    const opens = ["kernel", "loop", "branch", "turn"].includes(one.kind) || known.some((id) => nodes.get(id).inside.length);
    return h("button", {
      type: "button", class: "gl-row", "data-nodes": one.nodes.join(" "), "data-step": k, "data-testid": `gl-step-${k}`,
      title: `Run up to and including step ${k}: ${names}${opens ? " (double click: go inside)" : ""}`,
      onclick: (event) => (event.target.closest("[data-enter]") ? enter(k) : go(k + 1)), ondblclick: () => opens && enter(k),
    }, h("span", { class: "gl-stop", "aria-hidden": "true" }), h("span", { class: "gl-num gl-dim" }, String(k)), h("span", { class: "gl-kind" }, one.kind),
       h("span", { class: "gl-mono gl-grow" }, names), h("span", { class: "gl-dim gl-mono" }, types),
       opens ? h("span", { class: "gl-inward", "data-enter": "", title: "Go inside (e, when it is next)" }, "↳") : h("span", { class: "gl-inward" }));
  }

  // What has run, what is next, what is focused, and where runs stop.
  function mark() {
    if (!here) return;
    const stops = new Map(), lit = store.lit();
    for (const b of store.get("session").breakpoints ?? []) for (const k of b.steps) stops.set(k, stops.get(k) || b.enabled);
    for (const element of rows.rows()) {
      const k = Number(element.dataset.step), next = k === here.position;
      element.classList.toggle("is-done", k < here.position);
      element.classList.toggle("is-next", next);
      element.classList.toggle("is-focus", (element.dataset.nodes ?? "").split(" ").some((id) => lit.has(id)));
      if (next) element.setAttribute("aria-current", "step"); else element.removeAttribute("aria-current");
      const sign = element.querySelector(".gl-stop");
      if (sign) sign.textContent = stops.has(k) ? (stops.get(k) ? "●" : "○") : "";
    }
  }

  function listAll() {
    rows.show(Array.from({ length: Math.min(here.count, MOST) }, (_, k) => k));
  }

  // The level and the position that the session has now; the step that is next comes into sight.
  function show(path) {
    const level = path.at(-1), other = here?.level !== level.level || here?.count !== level.count;
    here = level;
    if (other) {
      parts = new Map();
      listAll();
    }
    rows.reveal(Math.min(level.position, level.count - 1));
    mark();
  }

  store.listen("change:focus", mark);
  return { element: list, show };
}
