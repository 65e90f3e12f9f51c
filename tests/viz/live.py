"""A live explorer in a page without a notebook around it: what the page sends, Python answers at once."""

from __future__ import annotations

import json
from typing import Any

from graphlab.debug.session import Session
from graphlab.viz import bundle
from graphlab.viz.widget import Explorer, explore

TRAITS = ("trace", "pictures", "listings", "view", "graph", "folds", "focus", "legend", "error", "step", "session")
_PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="color-scheme" content="light dark">
<title>live</title></head><body class="gl-report"><div id="gl-app"></div></body></html>"""
_MODEL = """
const handlers = {};
const tell = (event, ...args) => (handlers[event] ?? []).forEach((handler) => handler(...args));
const state = STATE;
const model = {
  get: (name) => state[name],
  set: (name, value) => { if (state[name] !== value) { state[name] = value; tell(`change:${name}`); } },
  save_changes() {}, on: (event, handler) => (handlers[event] ??= []).push(handler), off() {},
  async send(message) {
    const { sent, traits } = await window.python(JSON.stringify(message));
    const news = Object.keys(traits).filter((name) => JSON.stringify(state[name]) !== JSON.stringify(traits[name]));
    Object.assign(state, traits);
    for (const name of news) tell(`change:${name}`);
    for (const one of sent) tell("msg:custom", one);
  },
};
const explorer = (() => { SCRIPT; return entry; })();
explorer.render({ model, el: document.getElementById("gl-app") });
// What Python changes by itself arrives without a question.
const hear = async () => { await model.send(null); setTimeout(hear, 50); };
if (FOLLOWS) hear();
"""


def live(page: Any, session: Session, view: str = "step", *, follows: bool = False) -> Explorer:
    """Show an explorer of `session` in `page`, and answer it; if it `follows`, it hears what Python does by itself."""
    widget, sent = explore(session.function, session, view), list[Any]()
    widget.send = lambda message, *rest, **more: sent.append(message)  # type: ignore[method-assign]

    def python(_source: Any, text: str) -> dict[str, Any]:
        sent.clear()
        if text != "null":
            widget._received(widget, json.loads(text), [])
        traits = {name: getattr(widget, name) for name in ("session", "step", "error")}
        return {"sent": list(sent), "traits": traits}

    page.expose_binding("python", python)
    page.set_content(_PAGE)
    page.add_style_tag(content=bundle.style())
    state = json.dumps({name: getattr(widget, name) for name in TRAITS})
    script = bundle.script("widget").replace("export default", "const entry =")
    model = _MODEL.replace("FOLLOWS", str(follows).lower(), 1).replace("STATE", state, 1).replace("SCRIPT", script, 1)
    page.add_script_tag(content=model, type="module")
    page.locator("#gl-app[data-ready]").wait_for()
    return widget
