"""Functions as folders of C that need no Python."""

from graphlab.export.folder import export_c

__all__ = ["export_c"]
