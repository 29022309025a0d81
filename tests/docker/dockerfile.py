"""Reading `docker/Dockerfile` as its stages and their instructions."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]
PATH = ROOT / "docker" / "Dockerfile"


@dataclass(slots=True)
class Stage:
    """A ``FROM`` with what follows it."""

    name: str
    base: str
    instructions: list[tuple[str, str]] = field(default_factory=list)

    def of(self, word: str) -> list[str]:
        """The arguments of every instruction of a kind."""
        return [text for found, text in self.instructions if found == word]


def read(text: str) -> tuple[dict[str, str], dict[str, Stage]]:
    """The arguments before the first stage, and the stages by name."""
    text = re.sub(r"^\s*#.*\n", "", text, flags=re.MULTILINE).replace("\\\n", " ")
    arguments: dict[str, str] = {}
    stages: dict[str, Stage] = {}
    stage: Stage | None = None
    for line in filter(str.strip, text.splitlines()):
        word, _, rest = line.partition(" ")
        if word == "FROM":
            base, _, name = rest.partition(" AS ")
            stage = stages[name] = Stage(name, base)
        elif stage is None:
            name, _, value = rest.partition("=")
            arguments[name] = value
        else:
            stage.instructions.append((word, rest))
    return arguments, stages


def line(stages: dict[str, Stage], name: str) -> list[Stage]:
    """A stage with those that it is built from, itself first."""
    found = [stages[name]]
    while found[-1].base in stages:
        found.append(stages[found[-1].base])
    return found


def last(stages: dict[str, Stage], name: str, word: str) -> str:
    """The instruction of a kind that holds in a stage, its own or inherited; empty without one."""
    return next((stage.of(word)[-1] for stage in line(stages, name) if stage.of(word)), "")


def command(stages: dict[str, Stage], name: str) -> list[str]:
    """What a container of a stage runs without arguments."""
    return [part for word in ("ENTRYPOINT", "CMD") for part in json.loads(last(stages, name, word) or "[]")]


def packages(stages: dict[str, Stage], name: str, **arguments: str) -> dict[str, str]:
    """Names and versions of what the locks give an image, with those that a build argument asks for."""
    copied = [re.search(r"--from=(\S+-packages)", text) for text in stages[name].of("COPY")]
    builder = stages[next(found[1] for found in copied if found)]
    found: dict[str, str] = {}
    for text in builder.of("RUN"):
        always, _, asked = text.partition("if [ ")
        condition = re.match(r'"\$(\w+)" = (\w+)', asked)
        if condition and arguments.get(condition[1]) == condition[2]:
            always += asked
        for lock in re.findall(r"-r ([\w./-]+)", always):
            found |= locked(lock)
        found |= dict(re.findall(r" ([a-z]\w+)==([\d.]+)", always))
    return found


def locked(path: str) -> dict[str, str]:
    """Names and versions of a lock."""
    lines = (ROOT / path).read_text().splitlines()
    pins = [line.partition(" ;")[0].partition("==") for line in lines if line and not line.startswith("#")]
    return {name.partition("[")[0]: version for name, _, version in pins}
