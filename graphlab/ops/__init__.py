"""The operations: for each its types, NumPy meaning, gradient and lowering, together in one place."""
