// Leads to a node wherever it is: turns to a graph that has it, and opens what hides it.

export const reveal = async (store, id) => {
  const { graphs, rewrites } = store.trace, has = (name) => graphs[name].nodes.includes(id);
  store.focus(id);
  let graph = store.get("graph");
  if (!has("before") && !has("after")) {
    // What was there only for a while is shown just after the rewrite that made it.
    const k = rewrites.findIndex((rewrite) => rewrite.after.nodes.includes(id));
    if (k >= 0) return store.set("graph", `step-${k + 1}`);
  }
  if (graph === "side-by-side") graph = has("after") ? "after" : "before";
  const folds = store.get("folds");
  const found = await store.ask("reveal", `${graph}${folds ? `:${folds}` : ""}@${id}`);
  if (found.folds !== undefined) store.set("folds", found.folds);
};
