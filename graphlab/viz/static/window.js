// A list of which only what is in sight is in the page: all its rows have one height.

import { h } from "./dom.js";

const BEYOND = 12; // rows above and below that are there too

// `body` lies in the scrolling `box`; `make(item, k)` gives a row, `painted` is called when there are new ones.
export function windowed(box, body, tag, height, make, painted = () => {}) {
  const above = h(tag, { "aria-hidden": "true" }), below = h(tag, { "aria-hidden": "true" });
  const here = new Map();
  let items = [];
  body.replaceChildren(above, below);

  function paint() {
    const seen = box.clientHeight || 600, most = items.length;
    const first = Math.max(0, Math.min(most, Math.floor(box.scrollTop / height)) - BEYOND);
    const last = Math.min(most, Math.ceil((box.scrollTop + seen) / height) + BEYOND);
    for (const [k, row] of here) if (k < first || k >= last) { row.remove(); here.delete(k); }
    let next = below;
    for (let k = last - 1; k >= first; k -= 1) {
      if (!here.has(k)) { here.set(k, make(items[k], k)); body.insertBefore(here.get(k), next); }
      next = here.get(k);
    }
    above.style.height = `${first * height}px`;
    below.style.height = `${(most - last) * height}px`;
    painted();
  }

  function show(found) {
    items = found;
    for (const row of here.values()) row.remove();
    here.clear();
    if (box.scrollTop > items.length * height) box.scrollTop = 0;
    paint();
  }

  // Bring row `k` into sight; it is there then.
  function reveal(k) {
    if (k < 0 || !box.clientHeight) return null;
    const top = k * height;
    if (top < box.scrollTop + height || top + 2 * height > box.scrollTop + box.clientHeight)
      box.scrollTop = Math.max(0, top - box.clientHeight / 3);
    paint();
    return here.get(k) ?? null;
  }

  box.addEventListener("scroll", paint, { passive: true });
  new ResizeObserver(paint).observe(box);
  return { show, reveal, paint, rows: () => [...here.values()], row: (k) => here.get(k) };
}
