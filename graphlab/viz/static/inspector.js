// What is focused: what it is, where it comes from and where it goes, and the questions that one may ask about it.

import { h } from "./dom.js";
import { label } from "./store.js";
import { nearPanel, story, survival } from "./why.js";

export function inspectorPanel(store) {
  const { nodes, trace, users } = store;
  const facts = h("div", { class: "gl-facts" }), details = h("div", { class: "gl-details" });
  const element = h("section", { class: "gl-inspector", "aria-label": "Inspector", "data-testid": "gl-inspector" },
    facts, details);
  const chip = (id) => h("button", { type: "button", class: "gl-chip", onclick: () => store.focus(id) }, label(nodes.get(id)));
  const row = (name, ...what) => [h("dt", {}, name), h("dd", {}, ...what)];
  let pair = "", shown = "", open = true; // the node to be compared with the next one picked; of whom this tells; whether why is told

  function line(k) {
    const source = trace.sources[k], said = h("div", { class: "gl-survival", role: "status" });
    return h("div", {}, h("button", { type: "button", class: "gl-line gl-mono", "data-testid": "gl-line",
      title: "What became of this line?", onclick: () => survival(store, k, said, chip) },
      h("span", { class: "gl-dim" }, `${source.label}  `), source.text), said);
  }

  function describe(node) {
    const read = (users.get(node.id) ?? []).filter((id, k, all) => all.indexOf(id) === k);
    const kernel = trace.kernels.find((one) => one.nodes.includes(node.id));
    const most = 24, some = (ids) => [...ids.slice(0, most).map(chip), ids.length > most ? h("span", { class: "gl-dim" }, `and ${ids.length - most} more`) : null];
    return [
      ...row("type", h("code", {}, node.outputs.map((output) => output.type).join(", "))),
      ...(node.inputs.length ? row("inputs", some(node.inputs.map(([id]) => id))) : []),
      ...(read.length ? row("users", some(read)) : []),
      ...(node.origins.length ? row("line", node.origins.map(line)) : []),
      ...(node.rule ? row("made by", h("code", {}, node.rule), node.replaced ? [" from ", chip(node.replaced)] : null) : []),
      ...(node.gradient ? row("gradient", node.grad_of ? ["of ", chip(node.grad_of), forward(node.grad_of)] : "part of one") : []),
      ...(node.scope.length ? row("scope", h("code", {}, node.scope.join("/")), node.gradient ? " (gradient)" : null) : []),
      ...(node.inside.length ? row("inside", node.inside.map((one) => h("pre", { class: "gl-inside gl-mono" }, one.text))) : []),
      ...(kernel ? row("kernel", h("code", {}, kernel.name), h("span", { class: "gl-dim" }, ` ${kernel.reason}`)) : []),
    ];
  }

  // The line that a node of a gradient is the derivative of.
  function forward(id) {
    const [k] = nodes.get(id).origins;
    return k === undefined ? null : h("span", { class: "gl-dim gl-mono" }, ` ${trace.sources[k].label}  ${trace.sources[k].text}`);
  }

  async function why(node, box) {
    box.replaceChildren(h("p", { class: "gl-dim" }, "…"));
    const found = await store.ask("about", node.id);
    if (shown === node.id) box.replaceChildren(...story(store, node, found, chip));
  }

  function questions(node) {
    const told = h("div", {}), near = h("div", {});
    const section = (text, box, ask, opened, name) => h("details", { class: "gl-question", open: opened, "data-testid": name,
      ontoggle: (event) => {
        if (box === told) open = event.target.open;
        if (event.target.open && !box.childElementCount) ask();
      } }, h("summary", {}, text), box);
    const fused = h("button", { type: "button", class: "gl-ask", "data-testid": "gl-apart", onclick: () => {
      pair = node.id;
      fused.replaceChildren("Now pick the other node…");
    } }, "Why is it not fused with…");
    return [section("Why is it here?", told, () => why(node, told), open, "gl-why"),
      node.kind === "op" ? section("Which rules nearly fired?", near, () => nearPanel(store, node, near), false, "gl-near") : null,
      node.kind === "op" && trace.kernels.length ? fused : null];
  }

  // Why two nodes are in two kernels, or in one.
  async function compare(first, second) {
    const said = h("p", { role: "status", "data-testid": "gl-apart-said" }, "…");
    details.prepend(h("div", { class: "gl-compared" }, h("p", {}, chip(first), " and ", chip(second)), said));
    const one = trace.kernels.find((kernel) => kernel.nodes.includes(first) && kernel.nodes.includes(second));
    const found = one ? { fused: true, reason: one.reason } : await store.ask("apart", `${first},${second}`);
    said.replaceChildren(...(found.absent ? [found.absent] : [h("b", {}, found.fused ? "They share a kernel: " : "They are apart: "), found.reason]));
  }

  function draw() {
    const ids = store.focused(), node = nodes.get(ids[0]);
    details.replaceChildren();
    shown = node?.id ?? "";
    if (!node) {
      facts.replaceChildren(h("p", { class: "gl-empty" }, "Pick a node, a line or a step to see everything about it."));
      return;
    }
    const family = h("span", { class: `gl-badge gl-card gl-${node.family.replace(" ", "-")}` }, node.glyph);
    facts.replaceChildren(h("div", {},
      h("h3", {}, family, h("span", { class: "gl-mono" }, label(node)), h("span", { class: "gl-dim" }, ` ${node.family}`)),
      ids.length > 1 ? h("p", { class: "gl-also" }, "with ", ids.slice(1, 9).map(chip)) : null));
    details.append(h("dl", {}, describe(node)), ...questions(node).filter(Boolean));
    if (pair && pair !== node.id) {
      compare(pair, node.id);
      pair = "";
    }
  }

  store.listen("change:focus", draw);
  draw();
  return { element, open: () => {} };
}
