"""What enters the build of an image: the sources, and nothing that a checkout gathers beside them."""

from __future__ import annotations

from pathlib import Path

from docker.utils.build import exclude_paths

from tests.docker.dockerfile import PATH, ROOT, read

RULES = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]
SECRET = (
    ".env", "docker/.env", "docker/secrets/store", "flows/.env", ".synthcxr/store/identities.json", ".venv/bin/python",
    ".git/config", "state/mlflow.db", "tasks/__pycache__/x.pyc", "dist/x.whl", "prefect.toml", "weights/x.safetensors",
)  # fmt: skip


def test_nothing_beside_the_sources_enters(tmp_path: Path) -> None:
    for name in (*SECRET, "flows/synth.py", "pyproject.toml"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    files = {name for name in exclude_paths(str(tmp_path), RULES) if (tmp_path / name).is_file()}
    assert files - {".dockerignore", "Dockerfile"} == {"flows/synth.py", "pyproject.toml"}


def test_what_is_copied_is_in_the_context() -> None:
    entering = set(exclude_paths(str(ROOT), RULES))
    _, stages = read(PATH.read_text())
    copies = [text.split()[:-1] for stage in stages.values() for text in stage.of("COPY") if "--from" not in text]
    asked = {name.rstrip("/") for names in copies for name in names}
    assert asked
    assert asked - entering == set()


def test_this_checkout_gives_sources_only() -> None:
    top = {Path(name).parts[0] for name in exclude_paths(str(ROOT), RULES)}
    asked = {"flows", "tasks", "models", "storage", "requirements", "pyproject.toml", "README.md", "LICENSE"}
    assert top - {".dockerignore", "Dockerfile"} == asked
