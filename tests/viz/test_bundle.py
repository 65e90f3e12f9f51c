"""The modules of static/ join into one script that a widget can carry."""

import re

import pytest

from graphlab.viz import bundle

ENTRIES = ("widget", "offline", "logwidget", "logpage")


@pytest.mark.parametrize("entry", ENTRIES)
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
    together = "".join(map(bundle.script, ENTRIES))
    for path in bundle.STATIC.glob("*.js"):
        assert path.stem in ENTRIES or f"const module_{path.stem} =" in together


def test_comments_and_indentation_stay_behind_and_nothing_else() -> None:
    together = "".join(map(bundle.script, ENTRIES))
    for path in bundle.STATIC.glob("*.js"):
        for line in path.read_text().splitlines():
            assert line.count("`") % 2 == 0, f"{path.name}: {line}"  # a text over lines would lose its indentation
            code = line.strip()
            if code and not code.startswith(("//", "import", "export")):
                assert code in together
