// Every application of a rule: what it is, what it may change, and both sides of it.

import { drawn, h } from "./dom.js";

const MEANING = { "=": "exact: the same value for every input", "≈": "differs by rounding only",
                  "!": "may differ at special values", "?": "not stated" };

export function rewritesPanel(store) {
  const rewrites = store.trace.rewrites;
  let chosen = -1;
  const filter = h("input", { type: "search", placeholder: "Filter rules", "aria-label": "Filter rules", oninput: show });
  const items = rewrites.map((rewrite, k) => h("button", {
    type: "button", class: "gl-row", "data-testid": `gl-rewrite-${k}`, onclick: () => choose(k),
  }, h("span", { class: "gl-verdict", title: MEANING[rewrite.verdict] }, rewrite.verdict),
     h("span", { class: "gl-mono gl-grow" }, rewrite.rule), h("span", { class: "gl-dim" }, rewrite.pass)));
  const passes = store.trace.passes.map((pass) => h("li", { class: pass.nodes_before === pass.nodes_after ? "gl-dim" : "" },
    `${pass.name} `, h("span", { class: "gl-num" }, `${pass.nodes_before} → ${pass.nodes_after}`)));
  const list = h("div", { class: "gl-list" }, items);
  const detail = h("div", { class: "gl-detail", "data-testid": "gl-rewrite" });
  const empty = rewrites.length ? null : h("p", { class: "gl-empty" }, "No rule applied: the graph runs as it was written.");
  const element = h("div", { class: "gl-panel" },
    passes.length ? h("ol", { class: "gl-passes", "aria-label": "Passes, with the number of nodes before and after" }, passes) : null,
    rewrites.length > 8 ? h("div", { class: "gl-bar" }, filter) : null, list, empty, detail);

  function show() {
    const wanted = filter.value.toLowerCase();
    items.forEach((item, k) => { item.hidden = !rewrites[k].rule.toLowerCase().includes(wanted); });
  }

  async function choose(k) {
    if (k < 0 || k >= rewrites.length) return;
    chosen = k;
    const rewrite = rewrites[k];
    items.forEach((item, j) => item.classList.toggle("is-chosen", j === k));
    store.focus([...new Set([rewrite.before.root[0], rewrite.after.root[0]])]);
    const sides = await Promise.all(["before", "after"].map((side) => store.ask("picture", `rewrite-${k}-${side}`)));
    if (chosen !== k) return;
    const side = (name, picture) => h("figure", {}, h("figcaption", {}, h("b", {}, name), " ",
      h("code", {}, rewrite[name].text)), drawn("div", { class: "gl-small" }, picture?.svg ?? ""));
    detail.replaceChildren(
      h("p", {}, h("span", { class: "gl-verdict" }, rewrite.verdict), ` ${MEANING[rewrite.verdict] ?? ""}`,
        rewrite.source ? h("span", { class: "gl-dim" }, ` · ${rewrite.source}`) : null),
      h("div", { class: "gl-sides" }, side("before", sides[0]), side("after", sides[1])));
  }

  const turn = (by) => { store.set("view", "rewrites"); choose(chosen + by); };
  const keys = { "[": ["the rewrite before", () => turn(-1)], "]": ["the next rewrite", () => turn(1)] };
  return { element, keys, open: () => { if (chosen < 0) choose(0); } };
}
