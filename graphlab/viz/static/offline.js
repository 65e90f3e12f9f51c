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
    if (kind === "step") model.set("step", Math.max(0, Math.min(state.trace.steps.length, to)));
    if (kind === "ask") {
      const data = what === "picture" ? { svg: held.pictures[key] ?? "" } : value(key.split("@")[0]);
      queueMicrotask(() => tell("msg:custom", { kind: "answer", what, key, data }));
    }
  },
};

// A value that its step has not computed yet is not shown, though the page has it.
function value(id) {
  const step = state.trace.steps.findIndex((one) => one.nodes.includes(id));
  if (step >= state.step) return { waiting: `Step ${step} computes it.` };
  const outputs = state.trace.values[id];
  return outputs ? { outputs } : { waiting: "Its value is not in this report." };
}

const wanted = new URLSearchParams(location.hash.slice(1));
if (["graph", "rewrites", "step", "code", "nodes"].includes(wanted.get("view"))) state.view = wanted.get("view");
if (wanted.get("focus")) state.focus = wanted.get("focus");
render({ model, el: document.getElementById("gl-app") });
tell("change:focus");
