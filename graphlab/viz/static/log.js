// A log of many calls: small multiples, one for each array, over one scale of calls; and the call that is looked at.

import { arrayView } from "./array.js";
import { drawn, h } from "./dom.js";

const SIGNS = { nan: "×", inf: "▲" }; // told by shape
const FACTS = ["min", "max", "mean", "std", "nan", "inf", "zero", "elements"];
const EDGE = 4 / 300; // of a chart is beside its scale

export function renderLog({ model, el }) {
  const waiting = new Map(), undo = [];
  const listen = (event, handler) => { model.on(event, handler); undo.push(() => model.off(event, handler)); };
  const set = (name, value) => { if (model.get(name) !== value) { model.set(name, value); model.save_changes(); } };
  const ask = (what, key) => new Promise((resolve) => {
    waiting.set(`${what}:${key}`, resolve);
    model.send({ kind: "ask", what, key });
  });
  listen("msg:custom", ({ kind, what, key, data }) => { if (kind === "answer") { waiting.get(`${what}:${key}`)?.(data); waiting.delete(`${what}:${key}`); } });

  const search = h("input", { type: "search", placeholder: "Search arrays  ( / )", "aria-label": "Search arrays", "data-testid": "gl-log-search", oninput: filter });
  const count = h("span", { class: "gl-dim gl-num", role: "status" }), headline = h("span", { class: "gl-dim" });
  const firsts = h("div", { class: "gl-firsts", "data-testid": "gl-firsts" });
  const grid = h("div", { class: "gl-multiples", "data-testid": "gl-multiples" });
  const range = h("input", { type: "range", min: 0, "aria-label": "Call", "data-testid": "gl-call", oninput: () => set("call", data().calls[range.value]) });
  const said = h("span", { class: "gl-num", "aria-live": "polite", "data-testid": "gl-call-said" });
  const detail = h("section", { class: "gl-panel gl-log-detail", "aria-label": "One array in one call", "data-testid": "gl-log-detail" });
  const error = h("span", { class: "gl-error", role: "alert", "data-testid": "gl-error" });
  const again = model.get("live") ? h("button", { type: "button", "data-testid": "gl-refresh", onclick: () => model.send({ kind: "act", what: "refresh", key: "" }) }, "Refresh") : null;
  const title = h("strong", { role: "heading", "aria-level": 1 });
  const root = h("div", { class: "gl-root gl-log", tabindex: -1, "data-testid": "gl-log", "data-lm-suppress-shortcuts": true },
    h("header", { class: "gl-head" }, title, headline), firsts,
    h("div", { class: "gl-bar" }, search, count, h("span", { class: "gl-space" }), h("label", { class: "gl-slice" }, "call", range, said), again),
    h("div", { class: "gl-log-main" }, grid, detail), h("footer", { class: "gl-foot" }, h("span", { class: "gl-grow" }, "lines are means, bands from min to max; × NaN, ▲ infinite; pick a chart where you want to look"), error));
  el.replaceChildren(root);
  const data = () => model.get("data");
  let cards = [], asked = 0;

  function build() {
    const { name, headline: text, arrays, calls } = data();
    title.textContent = name;
    headline.textContent = text;
    range.max = Math.max(calls.length - 1, 0);
    firsts.replaceChildren(...data().firsts.map((first) => h("button", { type: "button", class: "gl-chip", onclick: () => go(first.array, first.call) }, first.text)));
    cards = arrays.map((one, k) => h("button", { type: "button", class: "gl-multiple", "data-array": k, "aria-pressed": "false", onclick: (event) => go(k, under(event)) },
      h("span", { class: "gl-multiple-head" }, h("span", { class: "gl-mono gl-name-text", title: one.name }, one.name), h("span", { class: "gl-dim gl-num" }, one.last)),
      h("span", { class: "gl-odd-text" }, one.odd.map(([kind, n, first]) => `${SIGNS[kind]} ${kind} in ${n} call${n === 1 ? "" : "s"}, first ${first}`).join("  ")),
      h("span", { class: "gl-plot" }, drawn("span", {}, one.chart), h("span", { class: "gl-cursor" }))));
    grid.replaceChildren(...(cards.length ? cards : [h("p", { class: "gl-empty" }, "No call was recorded: call the function inside of `with graphlab.record(f) as log:`.")]));
    filter();
    show();
  }

  // The call under the pointer, the nearest that was looked at; by keyboard the call stays.
  function under(event) {
    const box = event.currentTarget.querySelector("svg").getBoundingClientRect(), { calls } = data();
    if (!event.detail || !calls.length) return model.get("call");
    const part = ((event.clientX - box.left) / box.width - EDGE) / (1 - 2 * EDGE), wish = calls[0] + part * (calls.at(-1) - calls[0]);
    return calls.reduce((best, call) => (Math.abs(call - wish) < Math.abs(best - wish) ? call : best), calls[0]);
  }
  function go(array, call) { set("array", array); set("call", call); }

  function filter() {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean), { arrays } = data();
    arrays.forEach((one, k) => {
      const text = [one.name, one.type, one.step, ...one.lines.flat(), ...one.odd.map(([kind]) => kind)].join(" ").toLowerCase();
      cards[k].hidden = !words.every((word) => text.includes(word));
    });
    count.textContent = `showing ${cards.filter((card) => !card.hidden).length} of ${cards.length} arrays`;
  }

  async function show() {
    const { arrays, calls, kept } = data(), k = model.get("array"), call = model.get("call"), one = arrays[k], ticket = ++asked;
    cards.forEach((card, other) => card.setAttribute("aria-pressed", String(other === k)));
    if (!one || !calls.length) return detail.replaceChildren();
    range.value = Math.max(calls.indexOf(call), 0);
    said.textContent = `${call} of ${calls[0]}–${calls.at(-1)}`;
    root.style.setProperty("--gl-at", String(EDGE + (1 - 2 * EDGE) * ((call - calls[0]) / Math.max(calls.at(-1) - calls[0], 1))));
    const row = one.rows[one.calls.indexOf(call)], value = h("div", { class: "gl-value" });
    const have = kept.includes(call);
    detail.replaceChildren(
      h("div", { class: "gl-facts" }, h("h3", { class: "gl-mono", "aria-level": 2, role: "heading" }, one.name), h("p", { class: "gl-dim" }, [one.type, one.step, `call ${call}`].filter(Boolean).join(" · ")),
        one.lines.map(([label, text]) => h("p", { class: "gl-mono" }, h("span", { class: "gl-dim" }, `${label}  `), text)),
        row ? h("dl", { class: "gl-stats" }, row.map((text, j) => h("div", { class: j > 3 && j < 6 && text !== "0" ? "gl-odd" : "" }, h("dt", {}, text !== "0" && SIGNS[FACTS[j]] ? `${SIGNS[FACTS[j]]} ` : "", FACTS[j]), h("dd", {}, text))))
          : h("p", { class: "gl-dim" }, "It was not computed in this call."),
        row && !have ? h("p", { class: "gl-dim" }, kept.length ? `Its elements are gone: those of calls ${kept[0]} to ${kept.at(-1)} were kept.` : "Its elements were not kept: record(f, keep=\"values\") does.") : null), value);
    if (!row || !have) return;
    const found = await ask("value", `${k}@${call}`);
    if (ticket !== asked || !found.facts) return;
    value.replaceChildren(arrayView(found, { ask: (at, corner) => ask("window", `${k}@${call}@0@${at.join(",")}@${corner.join(",")}`) }).element);
  }

  const move = (by) => { const { calls } = data(), at = calls.indexOf(model.get("call")) + by; if (calls[at] !== undefined) set("call", calls[at]); };
  root.addEventListener("keydown", (event) => {
    if (event.target.matches("input") ? event.key !== "Escape" : event.ctrlKey || event.metaKey || event.altKey) return;
    const act = { "/": () => search.focus(), n: () => move(1), p: () => move(-1), Escape: () => document.activeElement?.blur() }[event.key];
    if (act) { event.preventDefault(); event.stopPropagation(); act(); }
  });
  listen("change:data", build);
  for (const name of ["array", "call"]) listen(`change:${name}`, show);
  listen("change:error", () => { error.textContent = model.get("error"); });
  build();
  el.dataset.ready = "1";
  return () => undo.splice(0).forEach((stop) => stop());
}
