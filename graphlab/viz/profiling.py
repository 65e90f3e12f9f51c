"""What a page shows of a profile, and of what kernels will take before any: the table, the details and the roofline."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from graphlab.debug.kernels import Kernel
from graphlab.debug.places import arguments
from graphlab.debug.profile import Profile, Row, profile
from graphlab.viz.roofline import roofline

if TYPE_CHECKING:
    from graphlab.debug.session import Session
    from graphlab.viz.record import Recorder


def shown(found: Profile, recorder: Recorder) -> dict[str, Any]:
    """The table of a profile, the dearest step first, with the nodes of each, and its roofline."""
    rows = found.sorted()
    return {
        "headline": found.headline(),
        "cells": [list(texts) for texts in found.cells()],
        "shares": [row.share for row in rows],
        "nodes": [recorder.names(row.nodes) for row in rows],
        "details": [_details(row) for row in rows],
        "machine": "" if found.machine is None else f"{found.machine.cpu}, {found.machine.threads} threads",
        "roofline": roofline(found, recorder.names),
        "rows": found.data()["rows"],
    }


def _details(row: Row) -> list[list[str]]:
    """What the table has no column for, as pairs of a name and a text."""
    moved = row.read + row.written
    facts = [["calls", f"{row.calls:,}"], ["median", f"{1e6 * row.seconds:,.4g} us"],
             ["all calls", f"{1e3 * row.total:,.4g} ms"], ["operations (estimated)", f"{row.flops:,}"],
             ["bytes (estimated)", f"{row.read:,} read, {row.written:,} written"],
             ["operations per byte", f"{row.flops / moved:.3g}" if moved else "none moved"]]  # fmt: skip
    if row.memory is not None:
        facts.append(["arrays there meanwhile", f"{row.memory:,} bytes"])
    if row.fraction is not None:
        facts.append(["of this machine", f"{row.fraction:.0%} of what its {row.bound} allows"])
    return facts


def estimated(kernel: Kernel) -> list[str]:
    """Of a run that nobody has made: operations, bytes read and written, operations per byte."""
    cost = kernel.cost
    return [f"{cost.flops:,}", f"{cost.read:,}", f"{cost.written:,}", f"{cost.intensity:.3g}",
            "extents that a call decides count as 1000" if cost.estimated else "extents are known"]  # fmt: skip


def profiled(recorder: Recorder, session: Session | None) -> dict[str, Any]:
    """The profile of the call that `session` steps through, made now; ValueError if there is no session."""
    if session is None:
        raise ValueError("there is no call to profile: open the explorer on a session, f.debug(...)")
    return shown(profile(session.function, arguments(session)), recorder)
