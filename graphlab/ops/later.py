"""SciPy's functions, found when one is first wanted: importing SciPy takes longer than importing all else together."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Later:
    """The function `name` of `module`, which is imported at its first call.

    >>> Later("math", "hypot")(3.0, 4.0)
    5.0
    """

    module: str
    name: str

    @property
    def found(self) -> Callable[..., Any]:
        """The function itself; AttributeError if the module has none of this name."""
        function: Callable[..., Any] = getattr(importlib.import_module(self.module), self.name)
        return function

    def __call__(self, *values: Any, **options: Any) -> Any:
        return self.found(*values, **options)


class Module:
    """A module whose functions are Later ones: `Module("scipy.special").erf`."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, name: str) -> Later:
        return Later(self._name, name)
