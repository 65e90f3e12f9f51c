// What is wrong with the run, before everything else: where a NaN or an infinity arose, and of what.

import { h } from "./dom.js";

export function troublesLine(store) {
  const element = h("div", { class: "gl-troubles", role: "alert", "data-testid": "gl-troubles", hidden: true });
  const button = (id, text) => id && store.nodes.has(id) ? h("button", {
    type: "button", class: "gl-chip", title: "Show it in the graph, with its value", onclick: () => store.focus(id),
  }, text) : null;

  function draw({ troubles, sources }) {
    const line = (k) => h("code", {}, h("span", { class: "gl-dim" }, `${sources[k].label}  `), h("b", {}, sources[k].text));
    // Of what an operand is made in another line, that line may be the one to mend.
    const operand = (one, lines) => h("span", {}, button(one.node, one.text) ?? h("code", {}, one.text), " ",
      one.lines.filter((k) => !lines.includes(k)).map((k, n) => h("span", {}, n ? " " : " made in ", line(k))));
    element.hidden = !troubles.length;
    element.replaceChildren(...troubles.flatMap(({ title, lines, formula, facts, node, operands }) => [
      h("p", {}, h("b", {}, title), lines.map(line), button(node, "Show")),
      h("p", { class: "gl-made" }, h("code", {}, formula), h("span", { class: "gl-dim" }, facts),
        operands.map((one) => operand(one, lines))),
    ]));
  }

  // They are known at the end of the run.
  async function look() {
    const { steps, troubles } = store.trace;
    if (!steps.length || store.get("step") < steps.length) return;
    const told = troubles.length ? store.trace : await store.ask("troubles", "");
    if (told.troubles) draw(told);
  }

  store.listen("change:step", look);
  look();
  return element;
}
