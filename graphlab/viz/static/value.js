// The value of what is focused, at the step where the run stands: its statistics, its elements, and what they look like.

import { drawn, h } from "./dom.js";
import { label } from "./store.js";

export function valuePanel(store) {
  const value = h("div", { class: "gl-value", "data-testid": "gl-value", "aria-live": "polite" });
  const element = h("section", { class: "gl-panel gl-value-panel", "aria-label": "Value" }, value);
  let asked = 0;

  async function draw() {
    const [id] = store.focused(), ticket = ++asked;
    if (!id || !store.trace.steps.length) {
      const why = id ? "No values: step through a call with f.debug(...)." : "Pick a node, a line or a step to see its value.";
      return value.replaceChildren(h("p", { class: "gl-empty" }, why));
    }
    const answer = await store.ask("value", `${id}@${store.get("step")}`);
    if (ticket !== asked) return;
    const name = h("h3", { class: "gl-mono" }, label(store.nodes.get(id)));
    if (answer.waiting) return value.replaceChildren(name, h("p", { class: "gl-empty" }, answer.waiting));
    value.replaceChildren(name, ...answer.outputs.map(one));
  }

  function one(output) {
    const cells = output.elements.map((line) => h("tr", {}, line.map((text) => h("td", { title: text }, short(text)))));
    return h("div", { class: "gl-one" },
      h("dl", { class: "gl-stats" }, output.facts.map(([name, text]) => h("div", {}, h("dt", {}, name), h("dd", {}, text)))),
      h("table", { class: "gl-elements" }, h("tbody", {}, cells)), h("p", { class: "gl-dim" }, output.showing),
      h("div", { class: "gl-charts" }, output.charts.map((chart) => drawn("div", {}, chart))));
  }

  // Six digits tell numbers apart at a glance; the title has them all.
  function short(text) {
    return text.length > 9 && /[.e]/.test(text) && isFinite(text) ? String(Number(Number(text).toPrecision(6))) : text;
  }

  store.listen("change:focus", draw);
  store.listen("change:step", draw);
  draw();
  return { element, open: () => {} };
}
