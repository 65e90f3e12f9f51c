"""The modules of static/ join into one script that a widget can carry."""

import re

import pytest

from graphlab.viz import bundle


@pytest.mark.parametrize("entry", ["widget", "offline"])
def test_the_script_imports_nothing_and_is_small(entry: str) -> None:
    text = bundle.script(entry)
    assert not re.search(r"^import ", text, re.MULTILINE)
    assert len(text.encode()) < 100_000
    assert "http://" not in text.replace("http://www.w3.org/", "")
    assert "https://" not in text


def test_every_module_comes_before_those_that_use_it() -> None:
    text = bundle.script("widget")
    for name in set(re.findall(r"= module_(\w+);", text)):
        assert text.index(f"const module_{name} =") < text.index(f"= module_{name};")


def test_every_module_is_used() -> None:
    together = bundle.script("widget") + bundle.script("offline")
    for path in bundle.STATIC.glob("*.js"):
        assert path.read_text().splitlines()[0] in together
