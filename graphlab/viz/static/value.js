// The value of what is focused, at the step where the run stands; and how far it is from that in a wider format.

import { arrayView } from "./array.js";
import { h } from "./dom.js";
import { label } from "./store.js";

export function valuePanel(store) {
  const value = h("div", { class: "gl-value", "data-testid": "gl-value", "aria-live": "polite" });
  const element = h("section", { class: "gl-panel gl-value-panel", "aria-label": "Value" }, value);
  const session = () => store.get("session") ?? {};
  const place = () => store.place();
  let asked = 0, shadow = null, current = "", windows = [];

  async function draw() {
    const [id] = store.focused(), key = `${id}@${place()}`;
    if (key === current) return windows.forEach((show) => show());
    const ticket = ++asked;
    [current, windows] = ["", []];
    if (!id || !store.trace.steps.length) {
      const why = id ? (store.holds("values") ? "No values: step through a call with f.debug(...)." : "This report was written without values.") : "Pick a node, a line or a step to see its value.";
      return value.replaceChildren(h("p", { class: "gl-empty" }, why));
    }
    const answer = await store.ask("value", key);
    if (ticket !== asked) return;
    if (answer.outputs) current = key;
    const name = h("h3", { class: "gl-mono" }, label(store.nodes.get(id)));
    if (!answer.outputs) return value.replaceChildren(name, h("p", { class: "gl-empty" }, answer.waiting ?? "No value."));
    value.replaceChildren(name, ...answer.outputs.map((output, k) => one(id, k, output)), beside(id));
  }

  function one(id, k, output) {
    const where = place();
    const view = arrayView(output, {
      ask: (at, corner) => store.ask("window", `${id}@${where}@${k}@${at.join(",")}@${corner.join(",")}`),
      pick: (index) => { if (session().place !== undefined && !session().offline) store.act("element", `${id}.${k}@${index}`); },
      chosen: () => { const [said, at] = (session().element || "@").split("@"); return said === `${id}.${k}` ? at.replace(/\s/g, "") : null; },
    });
    windows.push(view.show);
    return view.element;
  }

  // How far the value is from what a wider format gives: one run for all nodes, when somebody asks.
  function beside(id) {
    const node = store.nodes.get(id);
    if (node.kind !== "op" || !node.outputs.some((output) => /^(float|complex)/.test(output.dtype))) return "";
    const box = h("div", { class: "gl-shadow", "data-testid": "gl-shadow" });
    const ask = async () => { shadow = await store.ask("beside", "all"); if (shadow.nodes || shadow.waiting) tell(); else shadow = null; };
    function tell() {
      if (!shadow) return box.replaceChildren(h("button", { type: "button", class: "gl-chip", onclick: ask }, "Compare with a wider format"));
      if (!shadow.nodes) return box.replaceChildren(h("span", { class: "gl-dim" }, shadow.waiting));
      const loss = shadow.nodes[id], [worst] = Object.keys(shadow.nodes), off = shadow.otherwise.includes(id);
      box.replaceChildren(h("h3", {}, `Beside ${shadow.beside}`), ...(loss ? [
        h("p", {}, `largest relative error ${loss.after} (${loss.kept} digits are right), from operands with ${loss.before}: grown ${loss.growth} times in ${loss.share} of the elements`),
        h("p", { class: "gl-mono" }, `[${loss.element.join(", ")}]  ${loss.value}`, h("br", {}), `${" ".repeat(loss.element.join(", ").length)} →  ${loss.true}`)]
        : [h("p", { class: "gl-dim" }, off ? "It would have been decided in another way." : "This node adds no error of its own.")]),
      ...(worst && worst !== id ? [h("p", { class: "gl-dim" }, "most digits are lost in ", h("button", { type: "button", class: "gl-chip", onclick: () => store.focus(worst) }, label(store.nodes.get(worst))))] : []));
    }
    tell();
    return box;
  }

  store.listen("change:focus", draw);
  store.listen("change:step", draw);
  store.listen("change:session", draw);
  draw();
  return { element, open: () => {} };
}
