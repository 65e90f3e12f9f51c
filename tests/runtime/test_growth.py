"""A process does not grow by calling functions, nor much by compiling one again from a warm cache."""

from __future__ import annotations

import sys

import pytest

from benchmarks.memory_growth import PROGRAMS, Program, of_builds, of_calls
from graphlab.runtime.native import NAMES

pytestmark = pytest.mark.skipif(sys.platform != "linux" or not NAMES, reason="reads /proc of a process with programs")
MIB = 1 << 20


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.__name__)
def test_calls_leave_nothing_behind(program: Program) -> None:
    assert of_calls(program, 20_000) < MIB  # a leak of one small object in each call is more


@pytest.mark.parametrize("program", PROGRAMS[:3], ids=lambda program: program.__name__)
def test_functions_that_are_gone_leave_little_behind(program: Program) -> None:
    assert of_builds(program, 100) < 2 * MIB
