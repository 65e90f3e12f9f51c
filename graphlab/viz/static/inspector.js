// What is focused: what it is, where it comes from and where it goes.

import { h } from "./dom.js";
import { label } from "./store.js";

export function inspectorPanel(store) {
  const { nodes, trace, users } = store;
  const facts = h("div", { class: "gl-facts" }), details = h("div", { class: "gl-details" });
  const element = h("section", { class: "gl-inspector", "aria-label": "Inspector", "data-testid": "gl-inspector" },
    facts, details);
  const chip = (id) => h("button", { type: "button", class: "gl-chip", onclick: () => store.focus(id) }, label(nodes.get(id)));
  const row = (name, ...what) => [h("dt", {}, name), h("dd", {}, ...what)];

  function describe(node) {
    const read = (users.get(node.id) ?? []).filter((id, k, all) => all.indexOf(id) === k);
    const lines = node.origins.map((k) => h("div", { class: "gl-mono" }, h("span", { class: "gl-dim" },
      `${trace.sources[k].label}  `), trace.sources[k].text));
    const kernel = trace.kernels.find((one) => one.nodes.includes(node.id));
    return [
      ...row("type", h("code", {}, node.outputs.map((output) => output.type).join(", "))),
      ...(node.inputs.length ? row("inputs", node.inputs.map(([id]) => chip(id))) : []),
      ...(read.length ? row("users", read.map(chip)) : []),
      ...(lines.length ? row("line", lines) : []),
      ...(node.rule ? row("made by", h("code", {}, node.rule), node.replaced ? [" from ", chip(node.replaced)] : null) : []),
      ...(node.gradient ? row("gradient", node.grad_of ? ["of ", chip(node.grad_of)] : "part of one") : []),
      ...(node.scope.length ? row("scope", h("code", {}, node.scope.join("/")), node.gradient ? " (gradient)" : null) : []),
      ...(node.inside.length ? row("inside", node.inside.map((one) => h("pre", { class: "gl-inside gl-mono" }, one.text))) : []),
      ...(kernel ? row("kernel", h("code", {}, kernel.name), h("span", { class: "gl-dim" }, ` ${kernel.reason}`)) : []),
    ];
  }

  function draw() {
    const ids = store.focused(), node = nodes.get(ids[0]);
    details.replaceChildren();
    if (!node) {
      facts.replaceChildren(h("p", { class: "gl-empty" }, "Pick a node, a line or a step to see everything about it."));
      return;
    }
    const family = h("span", { class: `gl-badge gl-card gl-${node.family.replace(" ", "-")}` }, node.glyph);
    facts.replaceChildren(h("div", {},
      h("h3", {}, family, h("span", { class: "gl-mono" }, label(node)), h("span", { class: "gl-dim" }, ` ${node.family}`)),
      ids.length > 1 ? h("p", { class: "gl-also" }, "with ", ids.slice(1, 9).map(chip)) : null));
    details.append(h("dl", {}, describe(node)));
  }

  store.listen("change:focus", draw);
  draw();
  return { element, open: () => {} };
}
