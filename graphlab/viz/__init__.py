"""The glass: the trace of a function as pictures, a report, a widget and text. Nothing below imports it."""
