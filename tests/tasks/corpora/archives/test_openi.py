"""OpenI's XML: the whole text of an element, in any namespace and encoding, and no entities of its own."""

from __future__ import annotations

import pytest

from tasks.corpora.archives.openi import MOST, read_openi


def report(findings: str, head: str = "", root: str = "eCitation") -> str:
    return (
        f'{head}<{root}><AbstractText Label="FINDINGS">{findings}</AbstractText>'
        f'<MeSH><major>Pleural <i>Effusion</i>/left</major></MeSH><parentImage id=" CXR1 "/></{root.split()[0]}>'
    )


@pytest.mark.parametrize(("findings", "text"), [
    ("Heart. <b>Left</b> effusion.", "Heart. Left effusion."), ("A<b>B<i>C</i>D</b>E", "ABCDE"),
    ("Clear.<br/>Left effusion.", "Clear. Left effusion."), ("<p>One.</p><p>Two.</p>", "One. Two."),
    ("<![CDATA[a < b]]> c", "a < b c"), ("a &lt; b &amp; c &#233;", "a < b & c é"), ("a<!-- not said -->b", "ab"),
    ("a<?p x?>b", "ab"), ("  two\n words ", "two words"), ("", ""),
])  # fmt: skip
def test_all_text_of_an_element_counts(findings: str, text: str) -> None:
    found = read_openi(report(findings).encode())
    assert found.findings == text
    assert (found.mesh, found.images) == (("Pleural Effusion/left",), ("CXR1",))


def test_a_section_that_stands_twice_is_joined() -> None:
    text = report("One.").replace("<MeSH>", "<AbstractText Label='findings'>Two.</AbstractText><MeSH>")
    assert read_openi(text.encode()).findings == "One. Two."


def test_namespaces_do_not_matter() -> None:
    assert read_openi(report("Clear.", root='eCitation xmlns="urn:x"').encode()).text.startswith("FINDINGS: Clear.")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "latin-1"])
@pytest.mark.parametrize("head", ["", '<?xml version="1.0"?>', '<?xml version="1.0" encoding="utf-8"?>'])
def test_the_encoding_that_the_bytes_have_is_taken(encoding: str, head: str) -> None:
    assert read_openi(report("Café.", head).encode(encoding)).findings == "Café."


BOMB = '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]>'
OUTSIDE = '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>'


@pytest.mark.parametrize("head", [BOMB, OUTSIDE])
def test_entities_of_its_own_are_refused_in_one_line(head: str) -> None:
    with pytest.raises(ValueError, match="refused, since its XML declares entities") as error:
        read_openi(report("&a;", head).encode())
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(("data", "told"), [
    (b"", "not readable as XML"), (b"\x89PNG\0\0", "it: holds zero bytes"), (b"<html/>", "its root is <html>"),
    (report("&nbsp;").encode(), "not readable as XML: undefined entity"),
    (b" " * (MOST + 1), "more than a report has"),
    (report("<b>" * 5000 + "</b>" * 5000).encode(), "nested too deep"),
])  # fmt: skip
def test_what_is_no_report_says_why(data: bytes, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        read_openi(data)
