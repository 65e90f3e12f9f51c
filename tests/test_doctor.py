"""What the doctor finds where all is well, and where something is missing."""

from __future__ import annotations

import importlib.util
import shutil
import webbrowser
from pathlib import Path
from typing import Any

import pytest

from graphlab import compiled
from graphlab.doctor import LOOKS, Diagnosis, Finding, doctor
from graphlab.options import using
from graphlab.runtime import native

NAMES = [look.__name__[1:] for look in LOOKS]


def test_where_all_is_there_nothing_is_broken_and_each_has_one_line(tmp_path: Path) -> None:
    with using(cache_dir=tmp_path / "cache"):
        found = doctor()
    assert found.healthy, found
    assert [finding.name for finding in found.findings] == NAMES
    assert len(str(found).splitlines()) == len(NAMES)
    assert all(found[name].state == "ok" for name in ("packages", "runtime", "compiler", "cache", "blas", "function"))
    assert found["function"].found == "compiled, loaded and right"


def test_without_a_compiler_it_says_how_to_install_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiled, "_warned", False)
    with using(cc=("no-such-compiler",), cache_dir=tmp_path / "cache"):
        found = doctor()
    assert not found.healthy
    assert found["compiler"].state == "broken"
    assert "tried: no-such-compiler" in str(found["compiler"])
    assert "apt install gcc" in str(found["compiler"])
    assert found["function"].state == "without"  # and it was right


def test_a_compiler_that_fails_is_broken(tmp_path: Path) -> None:
    fake = tmp_path / "cc"
    fake.write_text("#!/bin/sh\necho it is ill >&2\nexit 1\n")
    fake.chmod(0o755)
    with using(cc=(str(fake),), cache_dir=tmp_path / "cache"):
        assert "failed with status 1 it is ill" in str(doctor()["compiler"])


def test_a_cache_that_cant_be_trusted_is_named_with_the_mend(tmp_path: Path) -> None:
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache").chmod(0o777)
    with using(cache_dir=tmp_path / "cache"):
        found = str(doctor()["cache"])
    assert "others may write to it" in found
    assert f"chmod 700 {tmp_path / 'cache'}" in found


def test_what_is_missing_for_pictures_is_no_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real_which, real_spec = shutil.which, importlib.util.find_spec

    def no_browser(using: Any = None) -> Any:
        raise webbrowser.Error

    monkeypatch.setattr(shutil, "which", lambda name, *rest, **more: None if name == "dot" else real_which(name))
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name == "anywidget" else real_spec(name)
    )
    monkeypatch.setattr(webbrowser, "get", no_browser)
    with using(cache_dir=tmp_path / "cache"):
        found = doctor()
    assert found.healthy
    for name, mend in (("dot", "apt install graphviz"), ("widget", "pip install anywidget"), ("browser", "BROWSER")):
        assert found[name].state == "without"
        assert found[name].mend in str(found)
        assert mend in found[name].mend


def test_a_look_that_fails_is_a_finding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> None:
        raise OSError("it\nfell")

    monkeypatch.setattr(native, "bundled_blas", broken)
    with using(cache_dir=tmp_path / "cache"):
        found = doctor()
    assert str(found["blas"]) == "blas       BROKEN   OSError: it fell; please report this"
    assert not Diagnosis((Finding("a", "ok", "b"), found["blas"])).healthy
