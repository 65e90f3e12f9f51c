// What lies below the list of steps: breakpoints, watches, one element, and questions about the whole run.
// One drawer is open, or none.

import { h } from "./dom.js";
import { reveal } from "./reveal.js";

export const WORKING = "working… Interrupt the kernel to stop it.";

export function drawers(store, { act, busy, go }) {
  const { nodes, trace } = store, state = () => store.get("session");
  const run = () => state().path[0].level;
  const button = (text, title, press, props = {}) => h("button", { type: "button", title, onclick: press, ...props }, text);
  const chip = (id, text) => (id && nodes.has(id)
    ? h("button", { type: "button", class: "gl-chip", title: "Show it in the graph, with its value", onclick: () => reveal(store, id) }, text) : h("code", {}, text));
  const lines = (all) => all.map(([name, text]) => h("p", { class: "gl-userline gl-mono" }, h("span", { class: "gl-dim" }, `${name}  `), text));
  const note = (text) => h("p", { class: "gl-note-line gl-dim" }, text);
  const elsewhere = () => note("A notebook's explorer has this: it needs a kernel that runs the steps.");
  const field = (props) => h("input", { type: "text", spellcheck: "false", autocomplete: "off", ...props });
  const form = (press, ...inside) => h("form", { class: "gl-bar gl-form", onsubmit: (event) => { event.preventDefault(); press(); } }, inside);
  const options = (all) => Object.entries(all).map(([value, text]) => h("option", { value }, text));

  const parts = { breaks: breaks(), watches: watches(), element: oneElement(), origin: origin(), compare: compare(), digits: digits(), bisect: bisect() };
  const TITLES = { breaks: "Breakpoints", watches: "Watches", element: "Element", origin: "NaN origin", compare: "Compare", digits: "Digits", bisect: "Rewrites" };
  const body = h("div", { class: "gl-drawer", hidden: true });
  const handles = Object.keys(parts).map((name) => h("button", {
    type: "button", "aria-expanded": "false", "data-drawer": name, "data-testid": `gl-drawer-${name}`, onclick: () => open(shown === name ? null : name),
  }, TITLES[name], h("span", { class: "gl-count", hidden: true })));
  const element = h("div", { class: "gl-drawers" }, h("div", { class: "gl-handles", role: "group", "aria-label": "Ask of this run" }, handles), body);
  let shown = null, looked = state().element;

  function open(name) {
    shown = name;
    body.hidden = !name;
    body.replaceChildren(...(name ? [parts[name].element] : []));
    for (const handle of handles) handle.setAttribute("aria-expanded", String(handle.dataset.drawer === name));
    if (name) parts[name].open();
  }

  function draw() {
    for (const handle of handles) {
      const count = parts[handle.dataset.drawer].count?.() ?? 0, badge = handle.lastElementChild;
      badge.textContent = String(count);
      badge.hidden = !count;
    }
    if (state().element !== looked) {
      looked = state().element;
      if (looked && shown !== "element") return open("element"); // one was picked in the table of a value
    }
    if (shown) parts[shown].draw();
  }

  // ---- breakpoints ----

  function breaks() {
    const known = {
      op: () => trace.nodes.map((node) => node.op), rule: () => trace.nodes.map((node) => node.rule),
      line: () => trace.sources.map((source) => source.label), kernel: () => trace.kernels.map((kernel) => kernel.name),
    };
    const place = h("select", { "aria-label": "Place", "data-testid": "gl-break-place", onchange: turn },
      options({ node: "the focused node", op: "op", line: "line", kernel: "kernel", rule: "rule", "": "anywhere" }));
    const which = h("select", { "aria-label": "Which one", "data-testid": "gl-break-which" });
    const when = h("select", { "aria-label": "When", "data-testid": "gl-break-when", onchange: turn },
      options({ "": "is next", nan: "makes NaN", inf: "makes an infinity", if: "makes this hold:" }));
    const condition = field({ placeholder: "abs(value).max() > 1e3", "aria-label": "Condition", "data-testid": "gl-break-if" });
    const entry = form(set, h("span", { class: "gl-dim" }, "Stop where"), place, which, when, condition,
      h("button", { "data-testid": "gl-break-set" }, "Set"));
    const list = h("ul", { class: "gl-plain", "data-testid": "gl-breaks" });

    let listed = null;
    function turn() {
      const of = place.value;
      if (of !== listed) {
        const names = known[of] ? [...new Set(known[of]().filter(Boolean))].sort() : [];
        which.replaceChildren(...options(Object.fromEntries(names.map((name) => [name, name]))));
        [which.hidden, listed] = [!known[of], of];
      }
      if (!of && !when.value) when.value = "nan";
      condition.hidden = when.value !== "if";
      condition.placeholder = of ? "abs(value).max() > 1e3" : "abs(x).max() > 1e3";
    }

    function set() {
      const of = place.value, said = {};
      if (of) said[of] = of === "node" ? target() ?? "" : which.value;
      if (when.value) said[when.value === "if" ? "if" : "when"] = when.value === "if" ? condition.value : when.value;
      act("break", JSON.stringify(said));
    }

    function draw() {
      const { breakpoints, offline } = state();
      entry.hidden = Boolean(offline);
      list.replaceChildren(...breakpoints.map(({ number, text, hits, enabled, node }) => h("li", { class: enabled ? "" : "gl-dim" },
        h("label", {}, h("input", { type: "checkbox", checked: enabled, "aria-label": `Breakpoint ${number}: ${text}`, onchange: () => act("enable", String(number)) }),
          h("span", { class: "gl-num gl-dim" }, `${number}`)),
        nodes.has(node) ? chip(node, text) : h("code", {}, text),
        h("span", { class: "gl-dim gl-grow" }, `hit ${hits} ${hits === 1 ? "time" : "times"}${enabled ? "" : ", off"}`),
        button("✕", `Remove breakpoint ${number}`, () => act("unbreak", String(number)), { "aria-label": `Remove breakpoint ${number}`, class: "gl-drop" }))),
      ...(offline ? [h("li", {}, elsewhere())] : breakpoints.length ? [] : [h("li", {}, note("None yet: b sets one at what is focused."))]));
    }
    turn();
    return { element: h("div", {}, entry, list), draw, open: draw, count: () => state().breakpoints.length };
  }

  // The node that `b` is about: what is focused, if it is computed, else what runs next.
  function target() {
    return store.focused().find((id) => nodes.get(id).kind === "op") ?? state().next[0];
  }

  // ---- watches ----

  function watches() {
    const input = field({ placeholder: "an expression, such as abs(x).max()", "aria-label": "Expression to watch", "data-testid": "gl-watch" });
    const entry = form(() => { if (input.value.trim()) act("watch", input.value); }, input, h("button", { "data-testid": "gl-watch-add" }, "Watch"));
    const list = h("ul", { class: "gl-plain", "data-testid": "gl-watches" });
    function draw() {
      const { watches: all, offline } = state();
      entry.hidden = Boolean(offline);
      list.replaceChildren(...all.map(({ text, now, history, more, course }, k) => h("li", { class: "gl-watch" },
        h("code", {}, text), h("b", { class: "gl-mono gl-grow" }, now === null ? h("span", { class: "gl-dim" }, "not computed yet") : now),
        h("span", { class: "gl-course", "aria-hidden": "true" }, course),
        button("✕", `Watch ${text} no more`, () => act("unwatch", String(k)), { "aria-label": `Watch ${text} no more`, class: "gl-drop" }),
        history.length > 1 ? h("ol", { class: "gl-history", "aria-label": "What it was, with the positions" }, more ? h("li", { class: "gl-dim" }, `${more} before`) : null,
          history.map(([at, value]) => h("li", {}, h("span", { class: "gl-dim" }, `${at}  `), value))) : null)),
      ...(offline ? [h("li", {}, elsewhere())] : []));
    }
    function open() {
      draw();
      const name = nodes.get(store.focused()[0])?.name;
      if (name && !input.value) input.value = /^[A-Za-z_]\w*$/.test(name) ? name : `v[${JSON.stringify(name)}]`;
      input.focus({ preventScroll: true });
      input.select();
    }
    return { element: h("div", {}, entry, list), draw, open, count: () => state().watches.length };
  }

  // ---- one element ----

  function oneElement() {
    const input = field({ placeholder: "1, 0", "aria-label": "Index of the element", "data-testid": "gl-element-index", size: 10 });
    const entry = form(() => { const [id] = store.focused(); if (id) act("element", `${id}.0@${input.value.replace(/[[\]()\s]/g, "")}`); },
      h("span", { class: "gl-dim" }, "Element"), input, h("span", { class: "gl-dim" }, "of what is focused"), h("button", { "data-testid": "gl-element-show" }, "Show"));
    const told = h("div", { class: "gl-story", "data-testid": "gl-element", "aria-live": "polite" });
    let asked = "";
    async function draw() {
      const { element: chosen, offline, place } = state(), key = `${chosen}@${place}`;
      entry.hidden = Boolean(offline);
      if (offline || !chosen) {
        asked = "";
        return told.replaceChildren(offline ? elsewhere() : note("Pick one in the table of a value, or say its index: it is spelled out in single numbers."));
      }
      if (key === asked) return;
      asked = key;
      const { name, value, lines: story, reach, waiting } = await store.ask("element", key);
      if (key !== asked) return;
      if (waiting) return told.replaceChildren(note(waiting));
      told.replaceChildren(h("p", {}, h("b", { class: "gl-mono" }, `${name} = ${value}`)),
        h("ol", { class: "gl-arithmetic gl-mono" }, story.map((line) => h("li", {}, line))),
        h("p", {}, h("span", { class: "gl-dim" }, reach.length ? "reached by " : "nothing that was given reaches it"), reach.map((one) => chip(one.node, one.text))));
    }
    return { element: h("div", {}, entry, told), draw, open: draw, count: () => (state().element ? 1 : 0) };
  }

  // ---- questions about the whole run: asked once for each run ----

  function question(what, key, tell, { live = true } = {}) {
    const box = h("div", { class: "gl-story", "data-testid": `gl-told-${what}`, "aria-live": "polite" });
    let asked = "";
    async function ask() {
      if (live && state().offline) return box.replaceChildren(elsewhere());
      const now = key();
      if (now === asked) return;
      asked = now;
      box.replaceChildren(note(WORKING));
      const answer = await busy(() => store.ask(what, now));
      store.tell("change:error"); // the status line says again where it stands
      if (now !== asked) return;
      if (!answer.absent) return box.replaceChildren(...[tell(answer)].flat().filter(Boolean));
      asked = "";
      box.replaceChildren(note(answer.absent), ...(state().offline ? [] : [button("Ask again", "", ask, { class: "gl-chip" })]));
    }
    return { box, ask };
  }

  // Where something happened: the user's lines, what was computed, of what, and the ways there.
  function told({ note: before, told: all, given = [] }) {
    if (all[0]?.node) reveal(store, all[0].node);
    return [before ? note(before) : null, ...given.map((one) => chip(one.node, one.text)), ...all.map((one) => h("div", { class: "gl-arose" },
    h("p", {}, h("b", {}, one.title)), ...lines(one.lines),
    h("p", { class: "gl-mono gl-formula" }, one.formula),
    h("p", {}, one.operands.map((operand) => chip(operand.node, operand.text))),
    h("p", { class: "gl-dim" }, one.facts, " ", chip(one.node, "show"), " ",
      one.step === null ? null : h("button", { type: "button", class: "gl-chip", onclick: () => jump(one.step) }, `go to step ${one.step}`))))];
  }

  function origin() {
    let of = "";
    const { box, ask } = question("origin", () => `${of}@${run()}`, told, { live: false });
    const again = () => { of = store.focused().find((id) => nodes.has(id)) ?? ""; ask(); };
    const bar = h("div", { class: "gl-bar" }, button("Of what is focused", "Where its NaN or infinity arose (o)", again),
      button("Of the outputs", "Where the first NaN or infinity of the outputs arose", () => { of = ""; ask(); }));
    return { element: h("div", {}, bar, box), draw: () => {}, open: again };
  }

  // With a run on other arguments: an expression for each, empty where it stays as it is.
  function compare() {
    const names = trace.graphs.before.inputs.map(([id], k) => nodes.get(id)?.name ?? `v["input ${k}"]`);
    const input = (name, props) => h("label", {}, h("code", {}, name), " ", field({ "aria-label": name, "data-testid": `gl-other-${name}`, ...props }));
    const others = names.map((name) => input(name, { placeholder: `such as ${name} + 1e-6` })), within = input("tolerance", { placeholder: "0", size: 6 });
    const value = (one) => one.lastChild.value.trim();
    const { box, ask } = question("compare", () => JSON.stringify([String(run()), value(within), ...others.map(value)]), told);
    const entry = form(ask, h("span", { class: "gl-dim" }, names.length ? "With other arguments:" : "It takes no arguments: s.compare(other) takes another session."),
      ...(names.length ? [...others, within, h("button", { "data-testid": "gl-compare" }, "Compare")] : []));
    const open = () => { entry.hidden = Boolean(state().offline); if (entry.hidden) ask(); else others[0]?.lastChild.focus({ preventScroll: true }); };
    return { element: h("div", {}, entry, box), draw: () => {}, open };
  }

  // Before a step of the function itself, whatever was entered.
  function jump(step) {
    if (state().path.length > 1) act("leave", "1");
    go(step);
  }

  function digits() {
    const { box, ask } = question("digits", () => String(run()), ({ note: said, rows, listed }) => [note(said), rows.length ? h("table", { class: "gl-table gl-losses" },
      h("thead", {}, h("tr", {}, ["operation", "grown", "error before", "after", "digits left", "of elements", "line"].map((text) => h("th", { scope: "col" }, text)))),
      h("tbody", {}, rows.slice(0, listed).map((row) => h("tr", { "data-nodes": row.node, tabindex: 0, onclick: () => row.node && reveal(store, row.node),
        onkeydown: (event) => { if (event.key === "Enter" && row.node) reveal(store, row.node); } },
        h("td", {}, row.op), ["growth", "before", "after", "kept", "share"].map((name) => h("td", {}, row[name])),
        h("td", { class: "gl-dim" }, row.lines.map(([name, text]) => `${name}  ${text}`).join()))))) : null, rows.length > listed ? note(`and ${rows.length - listed} more`) : null], { live: false });
    return { element: h("div", {}, box), draw: () => {}, open: ask };
  }

  function bisect() {
    const { box, ask } = question("bisect", () => String(run()), ({ text, node, found }) => [
      h("pre", { class: "gl-mono gl-formula" }, text),
      found ? h("p", {}, chip(node, "show"), " ", h("button", { type: "button", class: "gl-chip",
        onclick: () => { if (nodes.has(node)) store.focus(node); store.set("view", "rewrites"); } }, "to the timeline")) : null]);
    return { element: h("div", {}, box), draw: () => {}, open: ask };
  }

  store.listen("ask:digits", () => open("digits"));
  const here = (press) => () => { store.set("view", "step"); press(); };
  const keys = {
    b: ["breakpoint at what is focused, on or off", () => { const id = target(); if (id && !state().offline) act("break", JSON.stringify({ node: id })); else open("breaks"); }],
    w: ["watch an expression", here(() => open("watches"))],
    o: ["where this NaN came from", here(() => open("origin"))],
  };
  return { element, draw, keys };
}
