"""Every page of the guide is found from where people begin to read."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("page", sorted(path.name for path in (ROOT / "docs" / "guide").glob("*.md")))
def test_a_page_of_the_guide_is_linked_from_the_readme_and_the_index(page: str) -> None:
    assert f"(docs/guide/{page})" in (ROOT / "README.md").read_text(encoding="utf-8")
    assert f"(guide/{page})" in (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
