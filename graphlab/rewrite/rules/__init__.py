"""The rules, in tables: canonical forms, stable forms, special forms."""
