// A run on real values, step by step: forward and back, in and out, on to the next breakpoint; what is asked of it below.

import { h } from "./dom.js";
import { drawers, WORKING } from "./drawers.js";
import { schedule } from "./schedule.js";

const SLOW = 150; // milliseconds after which it is said that Python works

export function stepperPanel(store) {
  const { trace } = store, state = () => store.get("session");
  if (!state().path) {
    const hint = h("p", { class: "gl-empty" }, "No values yet. Step through a call with ",
      h("code", {}, "f.debug(...)"), " or ", h("code", {}, "%%symgraph --with x=..."), ".");
    return { element: h("div", { class: "gl-panel" }, hint), keys: {}, open: () => {} };
  }
  const level = () => state().path.at(-1);
  let waiting = null, place = state().place, stops = state().breakpoints, news = "";

  // Something is asked of Python; where that takes long, it is said.
  function busy(act) {
    clearTimeout(waiting);
    waiting = setTimeout(() => { says.textContent = WORKING; }, SLOW);
    return act();
  }
  const go = (to) => busy(() => store.send({ kind: "step", to }));
  const act = (what, key = "") => busy(() => store.act(what, key));

  const button = (text, title, name, press) => h("button", {
    type: "button", title, "aria-label": /[a-z]/.test(text) ? null : title, "data-testid": `gl-${name}`, onclick: press,
  }, text);
  const inward = button("↳ Enter", "Go inside the step that is next (e)", "enter", () => act("enter"));
  const outward = button("↰ Leave", "Go out again, to the level around (u)", "leave", () => act("leave"));
  const onward = button("Continue", "Run on to the next breakpoint (c)", "continue", () => act("run"));
  const toFocus = button("To focus", "Run on, or go back, to where the focused node is computed", "run-to",
    () => { const [id] = store.focused(); if (id) act("run", `node ${id}`); });
  const bar = h("div", { class: "gl-bar gl-stepbar", role: "toolbar", "aria-label": "Moves" },
    h("div", { class: "gl-choice" },
      button("|◀", "To the start", "start", () => go(0)),
      button("◀ Back", "One step back (p)", "back", () => go(level().position - 1)),
      button("Step ▶", "One step forward (n)", "forward", () => go(level().position + 1)),
      button("▶|", "To the end", "end", () => go(level().count))),
    onward, toFocus, inward, outward);
  const says = h("p", { class: "gl-says", role: "status", "aria-live": "polite", "data-testid": "gl-step-status" });
  const crumbs = h("nav", { class: "gl-crumbs", "aria-label": "Path", "data-testid": "gl-crumbs" });
  const next = h("p", { class: "gl-nextline gl-dim" });
  const findings = h("div", { class: "gl-findings" });
  const list = schedule(store, { go, enter: (k) => act("enter", String(k)) });
  const below = drawers(store, { act, busy, go });
  const element = h("section", { class: "gl-panel gl-stepper", "aria-label": "Stepper" },
    bar, h("div", { class: "gl-where" }, crumbs, says, next), findings, list.element, below.element);

  // What the session is doing, in words; the colour only repeats it.
  function told({ status, stopped, failed }, { title, position, count }) {
    const run = `${position} of ${count} ${count === 1 ? "step" : "steps"} run`;
    const where = state().path.length > 1 ? `in ${title}: ` : "";
    if (status === "error") return `✕ ${where}${run}, then it failed: ${failed}`;
    if (status === "finished") return `✓ finished: ${run}${stopped && stopped !== "the end" ? ` · stopped: ${stopped}` : ""}`;
    return `${where}${run}${stopped ? ` · stopped: ${stopped}` : ""}`;
  }

  function draw() {
    clearTimeout(waiting);
    const now = state(), { path, line } = now, depth = path.length;
    says.textContent = told(now, level()) + news;
    says.dataset.status = now.status;
    crumbs.hidden = depth < 2;
    crumbs.replaceChildren(...path.flatMap(({ title, position, count }, k) => [
      k ? h("span", { class: "gl-dim", "aria-hidden": "true" }, "›") : null,
      h("button", { type: "button", class: "gl-crumb", disabled: k === depth - 1, "aria-current": k === depth - 1 ? "location" : null,
        title: k === depth - 1 ? null : `Leave to ${title}`, onclick: () => act("leave", String(k + 1)) },
        title, h("span", { class: "gl-num gl-dim" }, ` ${position}/${count}`)),
    ]).filter(Boolean));
    next.replaceChildren(...(line.length ? [h("span", {}, `next: ${line[0]}  `), h("code", {}, line[1])] : []));
    next.hidden = !line.length;
    findings.replaceChildren(...now.findings.map((text) => h("p", { class: "gl-finding", role: "alert" }, `⚑ ${text}`)));
    for (const each of [inward, outward, onward, toFocus]) each.hidden = Boolean(now.offline);
    inward.disabled = !now.inside;
    outward.disabled = depth < 2;
    list.show(path);
    below.draw();
  }

  // After a move, look at what was computed.
  function moved() {
    const { last, place: to, breakpoints } = state(), other = to !== place;
    const without = (some, all) => some.find(({ number }) => !all.some((one) => one.number === number));
    const added = without(breakpoints, stops), gone = without(stops, breakpoints);
    news = added ? ` · breakpoint ${added.number} is set: ${added.text}` : gone ? ` · breakpoint ${gone.number} is removed` : "";
    [place, stops] = [to, breakpoints];
    draw();
    if (other && last.length) store.focus(last);
  }

  store.listen("change:session", moved);
  store.listen("change:error", draw);
  draw();
  const on = (press) => () => { if (trace.steps.length || state().path.length > 1) press(); };
  const keys = {
    n: ["one step forward", on(() => go(level().position + 1))], p: ["one step back", on(() => go(level().position - 1))],
    c: ["run on to the next breakpoint", on(() => (state().offline ? go(level().count) : act("run")))],
    e: ["go inside the next step", on(() => act("enter"))], u: ["go out again", on(() => act("leave"))], ...below.keys,
  };
  return { element, keys, open: draw };
}
