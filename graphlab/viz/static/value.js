// The value of what is focused, at the step where the run stands; and how many of its digits are right.

import { arrayView } from "./array.js";
import { h } from "./dom.js";
import { label } from "./store.js";

export function valuePanel(store) {
  const value = h("div", { class: "gl-value", "data-testid": "gl-value", "aria-live": "polite" });
  const element = h("section", { class: "gl-panel gl-value-panel", "aria-label": "Value" }, value);
  const session = () => store.get("session") ?? {};
  const place = () => store.place();
  let asked = 0, current = "", windows = [];

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
    value.replaceChildren(name, ...answer.outputs.map((output, k) => one(id, k, output)), digits(id));
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

  // How many digits are right: one run in a wider format for all nodes, when somebody asks; the stepper lists them all.
  function digits(id) {
    const node = store.nodes.get(id), run = String(session().path?.[0].level);
    if (node.kind !== "op" || !node.outputs.some((output) => /^(float|complex)/.test(output.dtype))) return "";
    const box = h("div", { class: "gl-digits", "data-testid": "gl-digits", "aria-live": "polite" });
    const chip = (text, press) => h("button", { type: "button", class: "gl-chip", onclick: press }, text);
    function tell(found) {
      if (!found) return box.replaceChildren(chip("Digits: how many are right?", () => store.ask("digits", run).then(tell)));
      const { rows, beside, note, absent } = found, row = (rows ?? []).find((one) => one.node === id && !one.inside);
      const worst = rows?.[0]?.node;
      box.replaceChildren(h("h3", {}, "Digits"), ...(!rows?.length ? [h("p", { class: "gl-dim" }, absent ?? note)] : row ? [
        h("p", {}, `${row.kept} digits are right, of ${row.had} in its operands, beside ${beside}: relative error ${row.after}, from ${row.before}, grown ${row.growth} times in ${row.share} of the elements`),
        h("p", { class: "gl-mono" }, `[${row.element.join(", ")}]  ${row.value}`, h("br", {}), `${" ".repeat(row.element.join(", ").length)} →  ${row.true}`)]
        : [h("p", { class: "gl-dim" }, found.otherwise.includes(id) ? "It would have been decided in another way." : "This node adds no error of its own.")]),
      rows?.length ? h("p", { class: "gl-dim" }, ...(worst && worst !== id ? ["most are lost in ", chip(label(store.nodes.get(worst)), () => store.focus(worst))] : []),
        chip("all operations", () => { store.set("view", "step"); store.tell("ask:digits"); })) : "");
    }
    tell(store.known("digits", run));
    return box;
  }

  store.listen("change:focus", draw);
  store.listen("change:step", draw);
  store.listen("change:session", draw);
  draw();
  return { element, open: () => {} };
}
