"""Text enters a page only inert."""

import json
import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphlab.viz.escape import clip, escape, script_json
from tests.viz.hostile import HOSTILE


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_one_text_node_and_one_attribute(text: str) -> None:
    tree = ET.fromstring(f'<a b="{escape(text)}">{escape(text)}</a>')
    assert len(tree) == 0
    assert tree.text == tree.attrib["b"]


@given(st.text(st.characters(exclude_categories=())))
def test_any_text_survives_an_xml_parser(text: str) -> None:
    tree = ET.fromstring(f'<a b="{escape(text)}">{escape(text)}</a>')
    assert (tree.text or "") == tree.attrib["b"]
    ordinary = "".join(c for c in text if c.isalnum() and c not in "�")
    assert "".join(c for c in ordinary if c in (tree.text or "")) == ordinary


def test_bidirectional_overrides_are_spelled_out() -> None:
    assert escape("a\u202eb") == "a\\u202eb"


@given(st.recursive(st.text() | st.integers(), lambda part: st.lists(part) | st.dictionaries(st.text(), part)))
def test_script_json_reads_back_and_never_closes_its_element(data: object) -> None:
    text = script_json(data)
    assert json.loads(text) == data
    assert not set(text) & set("<\u2028\u2029")


def test_clip_keeps_short_text() -> None:
    assert clip("abc", 3) == "abc"
    assert clip("abcd", 3) == "ab…"
