"""Image files are found through links without going round in circles."""

from __future__ import annotations

from pathlib import Path

from tasks.archives.files import walk_images


def test_linked_folders_are_walked_once(tmp_path: Path) -> None:
    films, root = tmp_path / "elsewhere", tmp_path / "root"
    films.mkdir()
    root.mkdir()
    (films / "a.png").touch()
    (films / "round").symlink_to(films, target_is_directory=True)
    (root / "images").symlink_to(films, target_is_directory=True)
    (root / "again").symlink_to(root, target_is_directory=True)
    assert list(walk_images(root)) == [root / "images" / "a.png"]
