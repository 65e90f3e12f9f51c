// What all panels share: the trace, the focus, and answers to questions that only Python can answer.

const GONE = "The kernel is gone: run the cell again.";

export function createStore(model, el) {
  const trace = model.get("trace");
  const nodes = new Map(trace.nodes.map((node) => [node.id, node]));
  const same = new Map();
  const join = (a, b) => same.set(a, new Set([...(same.get(a) ?? [a]), b]));
  for (const [after, before] of Object.entries(trace.twins)) { join(after, before); join(before, after); }
  const users = new Map();
  for (const node of trace.nodes)
    for (const [id] of node.inputs) users.set(id, [...(users.get(id) ?? []), node.id]);

  const answers = new Map(), waiting = new Map(), undo = [], here = {};
  const listen = (event, handler) => {
    (here[event] ??= []).push(handler);
    model.on(event, handler);
    undo.push(() => model.off(event, handler));
  };
  listen("msg:custom", (message) => {
    if (message.kind !== "answer") return;
    const key = `${message.what}:${message.key}`;
    if (!message.data.waiting) answers.set(key, message.data);
    for (const tell of waiting.get(key) ?? []) tell(message.data);
    waiting.delete(key);
  });

  // A kernel that began anew knows this explorer no longer, and the page stays as it is. JupyterLab marks what it
  // restores without one, tells of a restart by an event that has no other meaning, and of a death by the kernel's status.
  let live = !el.closest(".jupyter-widgets-disconnected");
  listen("comm_live_update", () => {
    live = false;
    for (const tells of waiting.values()) tells.forEach((tell) => tell({ waiting: GONE }));
    waiting.clear();
  });
  const status = model.widget_manager?.kernel?.statusChanged;
  const heed = (_, now) => { if (["autorestarting", "dead"].includes(now)) tell("comm_live_update"); };
  status?.connect(heed);
  undo.push(() => status?.disconnect(heed));
  const send = (message) => (live ? model.send(message) : set("error", GONE));

  const tell = (event) => (here[event] ?? []).forEach((handler) => handler()); // what concerns this page alone
  const set = (name, value) => { if (model.get(name) !== value) { model.set(name, value); model.save_changes(); } };
  return {
    trace, nodes, users, listen, live: () => live,
    get: (name) => model.get(name),
    holds: (part) => model.get("parts")?.includes(part) ?? true, // a report may have been written without it
    set,
    tell,
    focus: (ids) => set("focus", [].concat(ids).join(" ")),
    focused: () => model.get("focus").split(" ").filter((id) => nodes.has(id)),
    // The focused nodes and those that are the same node in the other graph.
    lit() { return new Set(this.focused().flatMap((id) => [...(same.get(id) ?? [id])])); },
    // Where the run stands, for the keys of questions whose answers are of that place alone.
    place: () => model.get("session").place ?? String(model.get("step")),
    send,
    act: (what, key) => send({ kind: "act", what, key }), // what changes the session; what it is then comes as state
    ask(what, key) {
      const name = `${what}:${key}`;
      if (answers.has(name)) return Promise.resolve(answers.get(name));
      if (!live) return Promise.resolve({ absent: GONE, waiting: GONE });
      return new Promise((resolve) => {
        const first = !waiting.has(name);
        waiting.set(name, [...(waiting.get(name) ?? []), resolve]);
        if (first) model.send({ kind: "ask", what, key });
      });
    },
    known: (what, key) => answers.get(`${what}:${key}`), // the answer, if there is one
    close: () => undo.splice(0).forEach((stop) => stop()),
  };
}

// How a node is called in running text.
export function label(node) {
  if (node.kind !== "op") return node.name ?? node.text;
  return node.name ? `${node.name} = ${node.op}` : node.op;
}
