// The entry of a log for a page: the same over what the page itself holds.

import { renderLog } from "./log.js";

const held = JSON.parse(document.getElementById("gl-data").textContent);
const handlers = {}, tell = (event, ...args) => (handlers[event] ?? []).forEach((handler) => handler(...args));

renderLog({ el: document.getElementById("gl-app"), model: {
  get: (name) => held.state[name],
  set: (name, value) => { held.state[name] = value; tell(`change:${name}`); },
  save_changes: () => {},
  on: (event, handler) => (handlers[event] ??= []).push(handler),
  off: (event, handler) => { handlers[event] = (handlers[event] ?? []).filter((one) => one !== handler); },
  send({ kind, what, key }) {
    const data = held.answers[`${what}:${key}`];
    if (!data) { held.state.error = "That is not in this page: a notebook's log has it."; tell("change:error"); }
    if (kind === "ask") queueMicrotask(() => tell("msg:custom", { kind: "answer", what, key, data: data ?? {} }));
  },
} });
