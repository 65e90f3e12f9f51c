"""Rewriting: rules that read as their equations, the driver that applies them, and the passes in their order."""
