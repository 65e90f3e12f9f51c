// The schedule of a run on real values: forward, back, to the start, to the end, to any step.

import { h, light, reveal } from "./dom.js";
import { label } from "./store.js";

export function stepperPanel(store) {
  const steps = store.trace.steps;
  const go = (to) => store.send({ kind: "step", to });
  const button = (text, title, name, to) => h("button", {
    type: "button", title, "aria-label": title, "data-testid": `gl-${name}`, onclick: () => go(to()),
  }, text);
  const now = () => store.get("step");
  const status = h("span", { class: "gl-grow", role: "status", "aria-live": "polite", "data-testid": "gl-step-status" });
  const bar = h("div", { class: "gl-bar gl-stepbar" },
    button("|◀", "To the start", "start", () => 0),
    button("◀ Back", "One step back (p)", "back", () => now() - 1),
    button("Step ▶", "One step forward (n)", "forward", () => now() + 1),
    button("▶|", "To the end", "end", () => steps.length), status);
  const items = steps.map((step, k) => {
    const names = step.nodes.map((id) => label(store.nodes.get(id)));
    return h("button", { type: "button", class: "gl-row", "data-nodes": step.nodes.join(" "), "data-step": k,
      "data-testid": `gl-step-${k}`, title: `Run up to and including step ${k}`, onclick: () => go(k + 1) },
      h("span", { class: "gl-num gl-dim" }, String(k)), h("span", { class: "gl-kind" }, step.kind),
      h("span", { class: "gl-mono gl-grow" }, names.join(", ")), h("span", { class: "gl-dim gl-mono" }, types(step)));
  });
  const list = h("div", { class: "gl-list", "data-testid": "gl-steps" }, items);
  const findings = store.trace.findings.map((text) => h("p", { class: "gl-finding", role: "alert" }, text));
  const hint = h("p", { class: "gl-empty" }, "No values yet. Step through a call with ",
    h("code", {}, "f.debug(...)"), " or ", h("code", {}, "%%symgraph --with x=..."), ".");
  const element = h("div", { class: "gl-panel" }, steps.length ? [bar, ...findings, list] : hint);

  function types(step) {
    return step.outputs.map(([id, k]) => store.nodes.get(id).outputs[k].type).join(", ");
  }

  function draw() {
    const position = now();
    items.forEach((item, k) => {
      item.classList.toggle("is-done", k < position);
      item.classList.toggle("is-next", k === position);
      if (k === position) item.setAttribute("aria-current", "step");
      else item.removeAttribute("aria-current");
    });
    const at = Math.min(position, items.length - 1);
    if (items[at] && list.clientHeight) reveal(list, items[at]);
    status.textContent = position === steps.length ? `finished: ${position} of ${steps.length} steps run` : `${position} of ${steps.length} steps run`;
  }

  // After a step, look at what it gave.
  function stepped() {
    draw();
    const last = steps[now() - 1];
    if (last) store.focus(last.outputs.length ? last.outputs.map(([id]) => id) : last.nodes);
  }

  store.listen("change:step", stepped);
  store.listen("change:focus", () => light(list, store.lit()));
  draw();
  const move = (by) => { if (steps.length) go(now() + by); };
  const keys = { n: ["one step forward", () => move(1)], p: ["one step back", () => move(-1)] };
  return { element, keys, open: draw };
}
