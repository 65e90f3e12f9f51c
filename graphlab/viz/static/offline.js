// The entry for a report: the same explorer over a model that answers from what the page holds.

import { render } from "./explorer.js";

const held = JSON.parse(document.getElementById("gl-data").textContent);
const state = held.state, handlers = {};
const tell = (event, ...args) => (handlers[event] ?? []).forEach((handler) => handler(...args));

const model = {
  get: (name) => state[name],
  set: (name, value) => { if (state[name] !== value) { state[name] = value; tell(`change:${name}`); } },
  save_changes() {
    const fragment = new URLSearchParams({ view: state.view, focus: state.focus });
    try { history.replaceState(null, "", `#${fragment}`); } catch { /* a sandboxed frame has no history */ }
  },
  on: (event, handler) => (handlers[event] ??= []).push(handler),
  off: (event, handler) => { handlers[event] = (handlers[event] ?? []).filter((one) => one !== handler); },
  send(message) {
    const { kind, what, key, to } = message;
    if (kind === "step") { model.set("step", Math.max(0, Math.min(state.trace.steps.length, to))); model.set("session", stand()); }
    if (kind === "ask") {
      const data = held.answers[`${what}:${key}`] ?? (elsewhere[what] ?? absent)(key);
      queueMicrotask(() => tell("msg:custom", { kind: "answer", what, key, data }));
    }
    if (kind === "act") absent();
  },
};

// What the page holds no answer to is made of what it holds, or said to be absent.
const elsewhere = { picture, window: part, value: (key) => value(key.split("@")[0]), reveal: shown, origin, troubles: () => state.trace, build: () => ({}), assembly: () => ({}),
  digits: elsewhereTold, about: elsewhereTold, near: elsewhereTold, why_not: elsewhereTold, apart: elsewhereTold };
function elsewhereTold() { return { absent: "This report does not hold that: a notebook's explorer tells it." }; }
function absent() {
  model.set("error", "That is not in this report: a notebook's explorer has it.");
  return {};
}

// A report holds pictures with one group toggled: another one is as it was at first again.
function picture(key) {
  const [view, folds = ""] = key.split(":"), last = folds.split(",").at(-1), near = `${view}:${last}`;
  if (view.startsWith("step-")) return moment(Number(view.slice(5)));
  if (folds && `picture:${near}` in held.answers) queueMicrotask(() => model.set("folds", last));
  else if (folds) model.set("error", "That picture is not in this report: a notebook's explorer draws it.");
  return { svg: "" };
}

// Where not every moment of the rewriting is held: the last one before it.
function moment(count) {
  for (let k = count; k >= 0; k -= 1)
    if (`picture:step-${k}` in held.answers) {
      model.set("error", k === count ? "" : `This report holds not every moment: this is the graph after ${k} rewrites.`);
      return held.answers[`picture:step-${k}`];
    }
  return absent();
}

// What hides a node: the closed group that it is in, if the page holds the picture with that open.
function shown(key) {
  const [at, id] = key.split("@"), [view, folds = ""] = at.split(":");
  const hiding = [...document.querySelectorAll("[data-inside]")].find((group) => group.dataset.inside.split(" ").includes(id));
  if (!hiding) return { folds };
  const { group } = hiding.dataset, toggled = folds.split(",").filter((one) => one && one !== group);
  if (!folds.split(",").includes(group)) toggled.push(group);
  const found = toggled.join(",");
  return !found || `picture:${view}:${found}` in held.answers ? { folds: found } : absent();
}

// Another part of a value is the same wherever the run stands; of large ones a report has the beginning.
function part(key) {
  const [id, , output, at] = key.split("@"), name = `window:${id}@@${output}@${at}`;
  return held.answers[`window:${key.replace(/@[^@]*/, "@")}`] ?? held.answers[`${name}@0,0`] ?? absent();
}

// A value that its step has not computed yet is not shown, though the page has it.
function value(id) {
  const step = state.trace.steps.findIndex((one) => one.nodes.includes(id));
  if (step >= state.step) return { waiting: `Step ${step} computes it.` };
  const outputs = state.trace.values[id];
  return outputs ? { outputs } : { waiting: "Its value is not in this report." };
}

// Where the run stands, as Python says it in a notebook: here it only steps.
function stand() {
  const { trace, step: position } = state, { steps, nodes, sources } = trace, here = steps[position], last = steps[position - 1];
  const [line] = here ? here.nodes.flatMap((id) => nodes.find((node) => node.id === id)?.origins ?? []) : [];
  return {
    offline: true, status: position < steps.length ? "paused" : "finished", place: String(position), stopped: "", failed: "",
    path: [{ title: trace.function.name, level: 0, position, count: steps.length }], inside: false, next: here?.nodes ?? [],
    last: last ? (last.outputs.length ? last.outputs.map(([id]) => id) : last.nodes) : [],
    line: line === undefined ? [] : [sources[line].label, sources[line].text],
    findings: trace.findings, breakpoints: [], watches: [], element: "",
  };
}

// Where the NaN of an output arose is worked out when the page is written.
function origin(key) {
  const [id] = key.split("@"), found = state.trace.origins ?? {};
  return found[id] ?? found[""] ?? { note: "The outputs of this run are finite.", told: [] };
}

const VIEWS = ["rewrites", "graph", "inspect", "step", "value", "code", "profile", "nodes"];
const wanted = new URLSearchParams(location.hash.slice(1));
if (VIEWS.includes(wanted.get("view"))) state.view = wanted.get("view");
if (wanted.get("focus")) state.focus = wanted.get("focus");
if (state.trace.steps.length) state.session = stand();
render({ model, el: document.getElementById("gl-app") });
tell("change:focus");
