// Pictures in a box that scrolls: drag to move, Ctrl and wheel or two fingers to zoom, fit.

const LEGIBLE = 0.9; // of the scale at which the smallest text has 10 pixels

export function zoomable(box) {
  let scale = 1, own = true; // nobody has moved it
  const pictures = () => [...box.querySelectorAll(":scope > svg")];
  const size = (picture) => picture.viewBox.baseVal;
  const sum = (numbers) => numbers.reduce((a, b) => a + b, 0);
  const natural = () => ({ width: sum(pictures().map((one) => size(one).width)),
    height: Math.max(...pictures().map((one) => size(one).height)) });

  // Change the scale; what lies at (x, y) of the box stays there.
  function apply(next, x = box.clientWidth / 2, y = box.clientHeight / 2) {
    if (!pictures().length) return;
    const before = scale;
    scale = Math.min(3, Math.max(0.1, next));
    const left = (box.scrollLeft + x) * (scale / before) - x, top = (box.scrollTop + y) * (scale / before) - y;
    for (const picture of pictures()) {
      picture.setAttribute("width", size(picture).width * scale);
      picture.setAttribute("height", size(picture).height * scale);
    }
    box.scrollTo(left, top);
  }

  // The whole picture; or, if that would be too small to read, what is around the focus, else the upper part.
  function fit(legible = false) {
    if (!pictures().length || !box.clientWidth) return;
    const { width, height } = natural();
    const whole = Math.min(1, (box.clientWidth - 24) / width, (box.clientHeight - 24) / height);
    apply(legible && whole < LEGIBLE ? LEGIBLE : whole);
    box.scrollTo((box.scrollWidth - box.clientWidth) / 2, 0);
    own = true;
    const focus = legible && box.querySelector(".is-focus:not(.gl-reference)");
    if (!focus) return; // more of what it is made of, which stands above it, than of its users
    const frame = box.getBoundingClientRect(), card = focus.getBoundingClientRect();
    box.scrollBy(card.left + card.width / 2 - frame.left - frame.width / 2, card.top + card.height / 2 - frame.top - frame.height * 2 / 3);
  }

  // Another place for the box: another panel beside it, or none until it is in the page.
  new ResizeObserver(() => requestAnimationFrame(() => { if (own) fit(true); })).observe(box);

  // A new picture of the same thing, in the same size and place.
  function keep() {
    const { scrollLeft, scrollTop } = box;
    apply(scale);
    box.scrollTo(scrollLeft, scrollTop);
  }

  box.addEventListener("wheel", (event) => {
    own = false;
    if (!event.ctrlKey && !event.metaKey) return;
    event.preventDefault();
    const frame = box.getBoundingClientRect();
    apply(scale * Math.exp(-event.deltaY / 300), event.clientX - frame.left, event.clientY - frame.top);
  }, { passive: false });

  // One finger scrolls, as everywhere; two zoom.
  const fingers = new Map();
  let drag = null, spread = 0;
  const apart = ([a, b]) => Math.hypot(a.clientX - b.clientX, a.clientY - b.clientY);
  box.addEventListener("pointerdown", (event) => {
    if (event.pointerType === "touch") own = false;
    if (event.pointerType === "touch") fingers.set(event.pointerId, event);
    else if (event.button === 0) drag = { x: event.clientX, y: event.clientY, left: box.scrollLeft, top: box.scrollTop };
    if (fingers.size === 2) spread = apart([...fingers.values()]);
  });
  box.addEventListener("pointermove", (event) => {
    if (fingers.has(event.pointerId)) {
      fingers.set(event.pointerId, event);
      if (fingers.size === 2) {
        const now = [...fingers.values()], frame = box.getBoundingClientRect(), wide = apart(now);
        const [x, y] = ["clientX", "clientY"].map((at) => (now[0][at] + now[1][at]) / 2);
        if (spread) apply(scale * (wide / spread), x - frame.left, y - frame.top);
        spread = wide;
      }
      return;
    }
    if (!drag || !event.buttons) return;
    const dx = event.clientX - drag.x, dy = event.clientY - drag.y;
    if (Math.abs(dx) + Math.abs(dy) > 3) { box.classList.add("is-dragging"); own = false; }
    box.scrollTo(drag.left - dx, drag.top - dy);
  });
  for (const end of ["pointerup", "pointerleave", "pointercancel"])
    box.addEventListener(end, (event) => {
      fingers.delete(event.pointerId);
      drag = null;
      requestAnimationFrame(() => box.classList.remove("is-dragging"));
    });

  return { fit, keep, by: (factor) => { own = false; apply(scale * factor); } };
}
