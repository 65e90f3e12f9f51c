// Why a node is here, what became of a line, which rules nearly fired: answers in words, with ways to what they speak of.

import { h } from "./dom.js";

let lists = 0; // of names, each with an id of its own
const MOST = 60; // operations of a line that are followed
const words = (n, word) => `${n} ${word}${n === 1 ? "" : "s"}`;

// The moment just after a rewrite, in the timeline.
function moment(store, { number, rule, changes, pass }) {
  return h("button", { type: "button", class: "gl-way", title: `${changes}, in the pass: ${pass}`, onclick: () => {
    store.set("view", "rewrites");
    store.set("graph", `step-${number + 1}`);
  } }, h("span", { class: "gl-dim" }, `rewrite ${number + 1}  `), h("code", {}, rule));
}

// From the user's lines through each rewrite to what computes it.
export function story(store, node, found, chip) {
  if (found.absent) return [h("p", { class: "gl-dim" }, found.absent)];
  const item = (name, ...what) => h("li", {}, h("span", { class: "gl-when" }, name), h("div", {}, ...what));
  const now = found.gone ? "nothing needs it any more" : !found.form ? "it runs as it was made"
    : found.now && found.now !== node.id ? chip(found.now) : h("code", {}, found.form);
  return [h("ol", { class: "gl-story" },
    found.lines.map((line) => item("written", h("code", {}, h("span", { class: "gl-dim" }, `${line.label}  `), line.text))),
    found.rewrites.map((one) => item(one.changes, moment(store, one))),
    node.kind === "op" ? item("now", now) : null,
    found.step ? item("runs in", h("code", {}, found.step), h("span", { class: "gl-dim" }, ` ${found.reason}`)) : null,
    found.cost ? item("cost", `${found.cost} by itself`, h("span", { class: "gl-dim" }, " (estimated: an unknown extent counts as 1000)")) : null)];
}

// What the optimiser did to a line: of all that it wrote, what runs, what was rewritten, what is gone.
export const survival = async (store, source, box, chip) => {
  const { nodes, trace } = store;
  const made = trace.graphs.before.nodes.filter((id) => nodes.get(id).kind === "op" && nodes.get(id).origins.includes(source));
  const forward = made.filter((id) => !nodes.get(id).gradient), all = forward.length ? forward : made;
  const ids = all.slice(0, MOST);
  const found = await Promise.all(ids.map((id) => store.ask("about", id)));
  const told = ids.map((id, k) => ({ id, ...found[k] })).filter((one) => !one.absent);
  if (!told.length) return box.replaceChildren(ids.length ? found[0].absent : "It made nothing that the graph as written has.");
  const gone = told.filter((one) => one.gone), other = told.filter((one) => !one.gone && one.rewrites.length);
  const kept = told.length - gone.length - other.length;
  const steps = [...new Set(told.map((one) => one.step).filter(Boolean))];
  const group = (text, those) => (those.length ? h("p", {}, `${text}: `, those.slice(0, 12).map((one) => chip(one.id))) : null);
  const rules = new Map(told.flatMap((one) => one.rewrites).map((one) => [one.number, one]));
  box.replaceChildren(...[
    h("p", {}, h("b", {}, gone.length === told.length ? "Nothing of it is left. " : gone.length || other.length ? "It was rewritten. " : "It survived whole. "),
      `Of ${words(told.length, "operation")} ${kept} run as written, ${other.length} in another form, ${gone.length} not at all.`),
    all.length > MOST ? h("p", { class: "gl-dim" }, `The first ${MOST} of ${all.length}.`) : null,
    group("In another form", other), group("Gone", gone),
    rules.size ? h("p", {}, [...rules.values()].sort((a, b) => a.number - b.number).slice(0, 12).map((one) => h("span", { class: "gl-one-way" }, moment(store, one)))) : null,
    steps.length ? h("p", { class: "gl-dim" }, `runs in ${steps.join(", ")}`) : null].filter(Boolean));
};

// The rules that nearly fired on a node, and a field to ask about any other.
export const nearPanel = async (store, node, box) => {
  const list = h("ul", { class: "gl-nearest" }), field = `gl-rules-${++lists}`;
  const names = h("datalist", { id: field });
  const item = ({ rule, reason, fired }) => h("li", {}, h("code", {}, rule), h("div", { class: "gl-dim" }, fired ? "it fired: " : "", reason));
  const input = h("input", { type: "search", list: field, placeholder: "Why not another rule?", "aria-label": "Why did this rule not fire?",
    "data-testid": "gl-why-not", onchange: async () => {
      if (!input.value) return;
      const found = await store.ask("why_not", `${node.id}@${input.value}`);
      list.prepend(found.absent ? h("li", { class: "gl-dim" }, found.absent) : item(found));
    } });
  box.replaceChildren(h("p", { class: "gl-dim" }, "…"));
  const [near, rules] = await Promise.all([store.ask("near", node.id), store.ask("rules", "all")]);
  if (near.absent) return box.replaceChildren(h("p", { class: "gl-dim" }, near.absent));
  names.append(...(rules.names ?? []).map((name) => h("option", { value: name })));
  list.append(...near.rules.map(item));
  box.replaceChildren(near.rules.length ? "" : h("p", { class: "gl-dim" }, "None came near: no pattern fitted further than its first operation."),
    list, h("div", { class: "gl-bar gl-near-bar" }, input, names));
};
