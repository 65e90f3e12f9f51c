// What the optimiser did, pass by pass and rewrite by rewrite: the graph at each moment, and both sides of each rewrite.

import { drawn, h } from "./dom.js";
import { windowed } from "./window.js";

// What real values say of a rewrite, and what its rule may change.
const VERDICTS = { "=": "exact: the same values", "≈": "within rounding", "+": "repaired: the old form over- or underflows there",
                   "!": "diverged: other values", "?": "not checked on real values" };
const CLAIMS = { exact: "the same value for every input", rounding: "may differ by rounding", domain: "may differ at special values" };
const ROW = 28, PAUSE = 40; // px of a row; ms before a picture is asked for

export function timelinePanel(store) {
  const { rewrites, passes } = store.trace, most = rewrites.length;
  const verdicts = rewrites.map(({ verdict, word = "", error = "", note = "" }) => ({ verdict, word, error, note }));
  let rules = {}, seconds = [], chosen = most, waiting = null, asked = false, mine = false, times = 0;

  const slider = h("input", { type: "range", class: "gl-grow", min: 0, max: most, value: most, step: 1, "data-testid": "gl-scrub",
    "aria-label": "Graph after so many rewrites", oninput: () => go(Number(slider.value)),
    onkeydown: (event) => { if (event.key.startsWith("Arrow")) event.stopPropagation(); } });
  const status = h("span", { class: "gl-num", role: "status", "aria-live": "polite", "data-testid": "gl-moment" });
  const button = (text, title, act) => h("button", { type: "button", title, "aria-label": title, onclick: act }, text);
  const checking = h("button", { type: "button", "data-testid": "gl-check", onclick: check,
    title: "Evaluate both sides of each rewrite on the values of this run" }, "Check on these values");
  const totals = h("p", { class: "gl-totals gl-dim", role: "status", "data-testid": "gl-totals" });
  const filter = h("input", { type: "search", placeholder: "Filter rules", "aria-label": "Filter rules",
    "data-testid": "gl-filter", oninput: list });
  const box = h("div", { class: "gl-list gl-timeline" }), body = h("div", { role: "list", "aria-label": "Passes and rewrites" });
  const rows = windowed(box, body, "div", ROW, (item) => (item.pass ? passRow(item.pass, item.count) : rewriteRow(item.rewrite)), mark);
  const detail = h("div", { class: "gl-detail", "data-testid": "gl-rewrite" });
  box.append(body);
  const empty = h("p", { class: "gl-empty" }, "No rule applied: the graph runs as it was written.");
  const element = h("div", { class: "gl-panel gl-timeline-panel" },
    most ? h("div", { class: "gl-bar gl-scrub" }, button("◀", "The rewrite before ( [ )", () => go(chosen - 1)), slider,
      button("▶", "The next rewrite ( ] )", () => go(chosen + 1)), status) : null,
    most ? h("div", { class: "gl-bar" }, filter, store.trace.steps.length && !store.trace.checked ? checking : null) : null,
    totals, box, most ? null : empty, detail);

  const words = (n, word) => `${n} ${word}${n === 1 ? "" : "s"}`;
  const time = (s) => (s === undefined ? "" : s < 1e-3 ? `${(1e6 * s).toFixed(0)} µs` : `${(1e3 * s).toFixed(1)} ms`);
  const signed = (n) => (n > 0 ? `+${n}` : n < 0 ? `−${-n}` : "");

  const isIdle = (pass) => pass.first === pass.last && pass.nodes_before === pass.nodes_after;

  function passRow(pass, count) {
    const idle = isIdle(pass);
    const change = idle ? "" : `${pass.nodes_before} → ${pass.nodes_after} nodes`;
    return h("div", { role: "listitem" }, h("button", { type: "button", class: `gl-row gl-pass${idle ? " is-idle" : ""}`,
      title: idle ? `changed nothing: ${pass.name}` : "The graph after this pass", onclick: () => go(pass.last, false) },
      h("span", { class: "gl-grow" }, pass.name), h("span", { class: "gl-dim gl-num" }, count ? words(count, "rewrite") : ""),
      h("span", { class: "gl-dim gl-num gl-change" }, change), h("span", { class: "gl-dim gl-num gl-time" }, time(pass.seconds))));
  }

  function rewriteRow(k) {
    const rewrite = rewrites[k], { verdict } = verdicts[k];
    return h("div", { role: "listitem" }, h("button", { type: "button", class: "gl-row gl-rewrite-row", "data-rewrite": k,
      "data-testid": `gl-rewrite-${k}`, title: `${rewrite.rule}: ${VERDICTS[verdict]}`, onclick: () => go(k + 1) },
      h("span", { class: `gl-verdict${verdict === "!" ? " is-bad" : ""}`, "aria-label": VERDICTS[verdict] }, verdict),
      h("span", { class: "gl-mono gl-grow" }, rewrite.rule), h("span", { class: "gl-dim gl-num" }, signed(rewrite.nodes)),
      h("span", { class: "gl-dim gl-mono gl-from" }, rewrite.line)));
  }

  // Passes with their rewrites; while there is a filter, only what it lets through.
  let place = [];
  function list() {
    const wanted = filter.value.toLowerCase().split(/\s+/).filter(Boolean), items = [];
    place = [];
    passes.forEach((pass, n) => {
      const inside = [];
      for (let k = pass.first; k < pass.last; k += 1)
        if (wanted.every((word) => rewrites[k].rule.toLowerCase().includes(word))) inside.push(k);
      if (wanted.length && !inside.length) return;
      const one = { ...pass, seconds: pass.seconds ?? seconds[n] }, before = items.at(-1)?.pass;
      if (before && isIdle(before) && isIdle(pass)) { // passes in a row that changed nothing share a line
        const both = before.seconds === undefined ? undefined : before.seconds + one.seconds;
        items[items.length - 1] = { pass: { ...before, name: `${before.name} · ${pass.name}`, seconds: both }, count: 0 };
      } else items.push({ pass: one, count: inside.length });
      for (const k of inside) { place[k] = items.length; items.push({ rewrite: k }); }
    });
    rows.show(items);
  }

  function mark() {
    for (const row of body.querySelectorAll("[data-rewrite]")) {
      const k = Number(row.dataset.rewrite), now = k === chosen - 1;
      row.classList.toggle("is-chosen", now);
      row.classList.toggle("is-later", k >= chosen);
      if (now) row.setAttribute("aria-current", "step");
      else row.removeAttribute("aria-current");
    }
  }

  // Show the graph after `count` rewrites; unless it is about a whole pass, the last of them from near by.
  function go(count, close = true) {
    if (!most) return;
    chosen = Math.max(0, Math.min(most, count));
    slider.value = chosen;
    const last = rewrites[chosen - 1];
    slider.setAttribute("aria-valuetext", `after ${chosen} of ${words(most, "rewrite")}${last ? `: ${last.rule}` : ""}`);
    tell();
    mark();
    if (chosen) rows.reveal(place[chosen - 1] ?? -1);
    clearTimeout(waiting);
    waiting = setTimeout(() => {
      mine = true;
      store.set("graph", `step-${chosen}`);
      mine = false;
      if (last) store.focus([...new Set([last.after.root[0], last.before.root[0]])]);
      if (last && close) explain(chosen - 1);
      else detail.replaceChildren(hint());
    }, PAUSE);
  }

  const hint = () => h("p", { class: "gl-dim" }, h("kbd", {}, "["), " ", h("kbd", {}, "]"), " walk through the rewrites, ",
    h("kbd", {}, "{"), " ", h("kbd", {}, "}"), " through the passes: the graph shows each moment.");

  function tell() {
    const at = passes.find((pass) => pass.first < chosen && chosen <= pass.last);
    status.textContent = chosen === 0 ? `as written · 0 of ${most}` : `${chosen} of ${most}`;
    status.title = at ? `in the pass: ${at.name}` : "";
  }

  // Both sides of a rewrite, what its rule may change, what real values say, and where the rule is written.
  async function explain(k) {
    const rewrite = rewrites[k];
    const sides = await Promise.all(["before", "after"].map((side) => store.ask("picture", `rewrite-${k}-${side}`)));
    if (chosen !== k + 1) return;
    const { verdict, word, error, note } = verdicts[k], rule = rules[rewrite.rule];
    const side = (name, picture) => h("figure", {}, h("figcaption", {}, h("b", {}, name), " ",
      h("code", {}, rewrite[name].text)), drawn("div", { class: "gl-small" }, picture?.svg ?? ""));
    const said = word ? `${word}${error ? `, largest error ${error}` : ""}${note ? ` (${note})` : ""}` : VERDICTS[verdict];
    const row = (name, ...what) => h("div", {}, h("dt", {}, name), h("dd", {}, ...what));
    detail.replaceChildren(
      h("h3", { class: "gl-mono" }, rewrite.rule),
      h("dl", { class: "gl-rule" },
        row("values", h("span", { class: `gl-verdict${verdict === "!" ? " is-bad" : ""}` }, verdict), ` ${said}`),
        row("rule", `${rewrite.changes}: ${CLAIMS[rewrite.changes] ?? ""}`),
        rule?.because ? row("because", rule.because) : null,
        rule ? row("for", rule.for) : null,
        row("pass", rewrite.pass), rewrite.line ? row("your line", h("code", {}, rewrite.line)) : null),
      h("div", { class: "gl-sides" }, side("before", sides[0]), side("after", sides[1])),
      rule?.text ? h("details", { class: "gl-source", "data-testid": "gl-rule-source" },
        h("summary", {}, "Source of the rule ", h("code", {}, rule.source)), h("pre", { class: "gl-mono" }, rule.text)) : null,
      rule ? null : h("p", { class: "gl-dim" }, `A pass of its own: ${rewrite.source}`));
  }

  async function check() {
    checking.disabled = true;
    totals.textContent = "checking…";
    const found = await store.ask("check", String(times += 1));
    checking.disabled = false;
    totals.textContent = found.totals ?? found.absent ?? "";
    found.verdicts?.forEach((one, k) => { verdicts[k] = one; });
    list();
    if (chosen && detail.querySelector("figure")) explain(chosen - 1);
  }

  async function open() {
    rows.paint();
    if (asked || !most) return;
    asked = true;
    const found = await store.ask("rules", "all");
    rules = found.rules ?? {};
    seconds = found.seconds ?? [];
    list();
  }

  const turn = (to) => { store.set("view", "rewrites"); go(to); };
  const ends = [0, ...new Set(passes.map((pass) => pass.last))];
  const keys = {
    "[": ["the rewrite before", () => turn(chosen - 1)], "]": ["the next rewrite", () => turn(chosen + 1)],
    "{": ["the pass before", () => turn(ends.filter((end) => end < chosen).at(-1) ?? 0)],
    "}": ["the next pass", () => turn(ends.find((end) => end > chosen) ?? most)],
  };
  store.listen("change:graph", () => { // another moment is asked for elsewhere
    const found = /^step-(\d+)$/.exec(store.get("graph"));
    if (found && !mine) go(Number(found[1]));
  });
  store.listen("change:error", () => { if (store.get("error")) { checking.disabled = false; totals.textContent = ""; } });
  totals.textContent = store.trace.checked ?? "";
  tell();
  list();
  detail.append(hint());
  return { element, keys, open };
}
