// Elements without markup in strings: text given here can only ever become text.

export function h(tag, props, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props ?? {})) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value != null) element.setAttribute(name, value);
  }
  element.append(...children.flat().filter((child) => child != null && child !== false));
  return element;
}

// Pictures and listings are drawn by Python, which has escaped every text in them.
export function drawn(tag, props, markup) {
  const element = h(tag, props);
  element.innerHTML = markup;
  return element;
}

// Bring `element` into sight inside `box`, leaving the page where it is.
export function reveal(box, element) {
  const outer = box.getBoundingClientRect(), inner = element.getBoundingClientRect();
  if (inner.top < outer.top || inner.bottom > outer.bottom) box.scrollTop += inner.top - outer.top - outer.height / 3;
  if (inner.left < outer.left || inner.left > outer.right) box.scrollLeft += inner.left - outer.left - 24;
}

// Mark every element under `root` that stands for one of the nodes `ids`, and closed groups that hide one;
// returns the first.
export function light(root, ids, name = "is-focus") {
  let first = null;
  for (const element of root.querySelectorAll("[data-nodes], [data-inside]")) {
    const { nodes, inside } = element.dataset;
    const hit = (nodes ?? inside).split(" ").some((id) => ids.has(id));
    element.classList.toggle(name, hit);
    if (hit) first ??= element;
  }
  return first;
}
