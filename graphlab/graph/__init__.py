"""The graph: types, nodes, walks over them, their text, and the events that tell what happens to them."""
