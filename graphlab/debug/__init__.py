"""Stepping through the evaluation of a compiled function: plain objects and text, no drawing."""
