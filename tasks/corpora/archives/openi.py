"""One report of OpenI (Indiana University): its sections and its MeSH terms, out of its XML."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from xml.etree.ElementTree import Element, ParseError

from tasks.text_files import decode_text

MOST = 1 << 24
"""Bytes of a file; a report has some thousands."""
_BREAKS = ("br", "p", "div", "li", "ul", "ol", "tr", "td", "title", "para")  # words on their two sides are apart


@dataclass(frozen=True, slots=True)
class OpenIReport:
    """A report; `mesh` are its terms as readers coded them, such as ``Opacity/lung/base/left``.

    `images` are the ids of its films, such as ``CXR1_1_IM-0001-3001``; a hundred reports have none.
    """

    findings: str
    impression: str
    mesh: tuple[str, ...]
    images: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """FINDINGS and IMPRESSION under their headings."""
        return f"FINDINGS: {self.findings}\n\nIMPRESSION: {self.impression}"


def read_openi(data: bytes) -> OpenIReport:
    """Parse one file ``<number>.xml`` in any namespace; a missing section is empty, one that stands twice is joined.

    The text of an element is all of it, inside of tags within it and behind them.

    Raises:
        ValueError: it is no XML or no OpenI report, it declares entities of its own, or it is too large or too deep.
    """
    root = _parse(data)
    if _tag(root) != "eCitation":
        raise ValueError(f"its root is <{_tag(root)}>, an OpenI report has <eCitation>")
    parts: defaultdict[str, list[str]] = defaultdict(list)
    mesh, images = [], []
    for node in root.iter():
        if _tag(node) == "AbstractText":
            parts[(node.get("Label") or "").strip().upper()].append(_text_of(node))
        elif _tag(node) == "major" and (term := _text_of(node)):
            mesh.append(term)
        elif _tag(node) == "parentImage" and (name := (node.get("id") or "").strip()):
            images.append(name)
    findings, impression = (" ".join(filter(None, parts[name])) for name in ("FINDINGS", "IMPRESSION"))
    return OpenIReport(findings, impression, tuple(mesh), tuple(images))


def _parse(data: bytes) -> Element:
    from defusedxml import DefusedXmlException
    from defusedxml.ElementTree import fromstring

    if len(data) > MOST:
        raise ValueError(f"{len(data)} bytes are more than a report has ({MOST})")
    try:
        try:
            return fromstring(data)
        except ParseError:
            if data.startswith(b"<?xml"):  # it may declare another encoding than it has
                return fromstring(decode_text(data, "it").partition("?>")[2].strip())
            return fromstring(decode_text(data, "it"))
    except DefusedXmlException as error:
        raise ValueError(f"refused, since its XML declares entities ({type(error).__name__})") from error
    except ParseError as error:
        raise ValueError(f"not readable as XML: {error}") from error


def _text_of(node: Element) -> str:
    try:
        return " ".join("".join(_pieces(node)).split())
    except RecursionError as error:
        raise ValueError("its elements are nested too deep for a report") from error


def _pieces(node: Element) -> Iterator[str]:
    yield node.text or ""
    for child in node:
        apart = " " if _tag(child).lower() in _BREAKS else ""
        yield apart
        yield from _pieces(child)
        yield apart + (child.tail or "")


def _tag(node: Element) -> str:
    """The name of an element without its namespace; empty for a comment."""
    return node.tag.rpartition("}")[2] if isinstance(node.tag, str) else ""
