"""The loop language between the graph and C."""
