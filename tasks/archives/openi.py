"""One report of OpenI (Indiana University): its sections and its MeSH terms, out of its XML."""

from __future__ import annotations

from dataclasses import dataclass
from xml.etree import ElementTree


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
    """Parse one file ``<number>.xml``; a missing section is empty.

    Raises:
        ValueError: it is no XML or no OpenI report.
    """
    try:
        root = ElementTree.fromstring(data)
    except ElementTree.ParseError as error:
        raise ValueError(f"not readable as XML: {error}") from error
    if root.tag != "eCitation":
        raise ValueError(f"its root is <{root.tag}>, an OpenI report has <eCitation>")
    parts = {node.get("Label"): " ".join((node.text or "").split()) for node in root.iter("AbstractText")}
    mesh = tuple(node.text.strip() for node in root.iter("major") if node.text and node.text.strip())
    images = tuple(node.get("id", "") for node in root.iter("parentImage") if node.get("id"))
    return OpenIReport(parts.get("FINDINGS", ""), parts.get("IMPRESSION", ""), mesh, images)
