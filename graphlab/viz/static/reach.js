// What those need who work by keyboard, or hear the page: tabs as WAI-ARIA has them, and focus that is never lost.

// The tabs of a tablist and the one panel they turn: the arrows go round, Home and End to the ends; one Tab enters.
export function tabbed(list, panel, choose) {
  const tabs = [...list.children], mark = Math.random().toString(36).slice(2); // other explorers on the page have theirs
  panel.id = `gl-panel-${mark}`;
  panel.setAttribute("role", "tabpanel");
  tabs.forEach((tab, k) => { tab.id = `gl-tab-${mark}-${k}`; tab.setAttribute("aria-controls", panel.id); });
  list.addEventListener("keydown", (event) => {
    const k = tabs.indexOf(event.target), last = tabs.length - 1;
    const to = { ArrowRight: k === last ? 0 : k + 1, ArrowLeft: k ? k - 1 : last, Home: 0, End: last }[event.key];
    if (k < 0 || to === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    event.stopPropagation(); // elsewhere arrows walk the graph
    choose(tabs[to].dataset.view);
    tabs[to].focus();
  });
  return (name) => tabs.forEach((tab) => {
    const chosen = tab.dataset.view === name;
    if (chosen && tabs.includes(document.activeElement)) tab.focus();
    tab.setAttribute("aria-selected", String(chosen));
    tab.tabIndex = chosen ? 0 : -1;
    if (chosen) panel.setAttribute("aria-labelledby", tab.id);
  });
}

// Panels are drawn anew while somebody is in them: what stands for the same takes the focus over, else what was around it.
export function keepFocus(root) {
  let held = null, around = [], which = "";
  const sign = (element) => {
    const { testid, nodes, group, step } = element.dataset, word = element.getAttribute("aria-label") ?? element.textContent;
    return [element.tagName, ...(testid ? [testid] : [nodes, group, step, nodes || group ? "" : word])].join("\n");
  };
  root.addEventListener("focusin", ({ target }) => {
    [held, around, which] = [target, [], sign(target)];
    for (let one = target.parentElement; one && one !== root.parentElement; one = one.parentElement) around.push(one);
  });
  // Removed from the page, it is not left: that is known when the panel is done.
  root.addEventListener("focusout", ({ target }) => queueMicrotask(() => { if (target === held && target.isConnected) held = null; }));
  const watch = new MutationObserver(() => {
    if (!held || held.isConnected || ![document.body, null].includes(document.activeElement)) return;
    const box = around.find((one) => one.isConnected) ?? root;
    const same = [...box.querySelectorAll(held.tagName)].find((one) => one.checkVisibility() && sign(one) === which);
    (same ?? around.find((one) => one.isConnected && one.tabIndex >= 0) ?? root).focus({ preventScroll: true });
  });
  watch.observe(root, { childList: true, subtree: true });
  return () => watch.disconnect();
}
