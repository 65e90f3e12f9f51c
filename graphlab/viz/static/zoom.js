// A picture in a box that scrolls: drag to move, Ctrl and wheel to zoom, fit.

export function zoomable(box) {
  let scale = 1;
  const picture = () => box.querySelector("svg");
  const natural = () => { const { width, height } = picture().viewBox.baseVal; return { width, height }; };

  function apply(next, x = box.clientWidth / 2, y = box.clientHeight / 2) {
    if (!picture()) return;
    const before = scale, { width, height } = natural();
    scale = Math.min(3, Math.max(0.1, next));
    const left = (box.scrollLeft + x) * (scale / before) - x, top = (box.scrollTop + y) * (scale / before) - y;
    picture().setAttribute("width", width * scale);
    picture().setAttribute("height", height * scale);
    box.scrollTo(left, top);
  }

  // The whole picture; or, if it would be too small to read, its upper part.
  function fit(legible = false) {
    if (!picture() || !box.clientWidth) return;
    const { width, height } = natural();
    const whole = Math.min(1, (box.clientWidth - 24) / width, (box.clientHeight - 24) / height);
    apply(legible ? Math.max(whole, 0.75) : whole);
    box.scrollTo((box.scrollWidth - box.clientWidth) / 2, 0);
  }

  // A new picture of the same thing, in the same size and place.
  function keep() {
    const { scrollLeft, scrollTop } = box;
    apply(scale);
    box.scrollTo(scrollLeft, scrollTop);
  }

  box.addEventListener("wheel", (event) => {
    if (!event.ctrlKey && !event.metaKey) return;
    event.preventDefault();
    const frame = box.getBoundingClientRect();
    apply(scale * Math.exp(-event.deltaY / 300), event.clientX - frame.left, event.clientY - frame.top);
  }, { passive: false });

  let drag = null;
  box.addEventListener("pointerdown", (event) => {
    if (event.button === 0) drag = { x: event.clientX, y: event.clientY, left: box.scrollLeft, top: box.scrollTop };
  });
  box.addEventListener("pointermove", (event) => {
    if (!drag || !event.buttons) return;
    const dx = event.clientX - drag.x, dy = event.clientY - drag.y;
    if (Math.abs(dx) + Math.abs(dy) > 3) box.classList.add("is-dragging");
    box.scrollTo(drag.left - dx, drag.top - dy);
  });
  for (const end of ["pointerup", "pointerleave"])
    box.addEventListener(end, () => { drag = null; requestAnimationFrame(() => box.classList.remove("is-dragging")); });

  return { fit, keep, by: (factor) => apply(scale * factor) };
}
