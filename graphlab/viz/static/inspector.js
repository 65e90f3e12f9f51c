// What is focused: what it is, where it comes from, where it goes, and its value in the run.

import { drawn, h } from "./dom.js";
import { label } from "./store.js";

export function inspectorPanel(store) {
  const { nodes, trace, users } = store;
  const facts = h("div", { class: "gl-facts" }), details = h("div", { class: "gl-details" });
  const value = h("div", { class: "gl-value", "data-testid": "gl-value", "aria-live": "polite" });
  const element = h("section", { class: "gl-inspector", "aria-label": "Inspector", "data-testid": "gl-inspector" },
    facts, value, details);
  const chip = (id) => h("button", { type: "button", class: "gl-chip", onclick: () => store.focus(id) }, label(nodes.get(id)));
  const row = (name, ...what) => [h("dt", {}, name), h("dd", {}, ...what)];
  let asked = 0;

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
    value.replaceChildren();
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
    if (trace.steps.length) showValue(node);
  }

  async function showValue(node) {
    const ticket = ++asked;
    const answer = await store.ask("value", `${node.id}@${store.get("step")}`);
    if (ticket !== asked) return;
    if (answer.waiting) return value.replaceChildren(h("p", { class: "gl-empty" }, answer.waiting));
    value.replaceChildren(...answer.outputs.map(one));
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
  return { element };
}
