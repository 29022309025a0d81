"""What a run leaves for people: one table on the terminal, the same as Markdown in the Prefect UI."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

if TYPE_CHECKING:
    from rich.console import Group


_EVERY_TASK = "macro mean of every task by arm; intervals, findings and seeds are in scores.json of the run"


class Arm(BaseModel):
    """One arm's macro score with its interval; over several training seeds the mean, and their standard deviation."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    name: str
    pairs: int
    seeds: tuple[int, ...] = (0,)
    sd: float | None = None
    macro: float
    low: float
    high: float


class Difference(BaseModel):
    """Macro score of one arm minus another's, from the same resamples."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    name: str
    value: float
    low: float
    high: float


class TaskMeans(BaseModel):
    """What an evaluation task came to: the macro score of each arm, and of chance where the task has it."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    name: str
    metric: str
    macros: dict[str, float]


class Summary(BaseModel):
    """The end of a run.

    `cost` is the machine's hourly price times the time spent making pairs. `labelled` names the labelled films that
    tasks which train learn from, whatever the arm; empty where no task trains.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    dataset: str
    asked: int
    planned: int
    accepted: int
    rejected_by_gate: dict[str, int]
    entity_ratio: float
    seconds_per_pair: float
    cost_per_pair: float
    arms: tuple[Arm, ...]
    differences: tuple[Difference, ...]
    tasks: tuple[TaskMeans, ...] = ()
    labelled: str = ""
    confidence: float
    measure: str = "zero-shot macro AUROC"
    samples_seen: int
    unit: str = "film"
    seconds: float
    caveats: tuple[str, ...] = ()
    places: dict[str, str]

    def facts(self) -> list[tuple[str, str]]:
        """Yield and price, a line each."""
        lines = [
            ("pairs asked", f"{self.asked}"),
            ("samples tried", f"{self.planned}"),
            ("pairs accepted", f"{self.accepted}  ({self.accepted / max(1, self.planned):.1%} of samples tried)"),
        ]
        lines += [(f"rejected by {gate}", str(n)) for gate, n in sorted(self.rejected_by_gate.items())]
        lines += [
            ("entity counts, max / min", f"{self.entity_ratio:.2f}"),
            ("seconds per accepted pair", f"{self.seconds_per_pair:.2f}"),
            ("cost per accepted pair", f"{self.cost_per_pair:.6f}"),
            ("seconds in all", f"{self.seconds:.0f}"),
        ]
        return lines

    def compute(self) -> str:
        """What the score is, over what its intervals are, and the compute that every trained arm got."""
        seeds = max((len(arm.seeds) for arm in self.arms), default=1)
        of = f", mean of {seeds} training seeds" if seeds > 1 else " of one training seed"
        over = f"the {self.unit}s{of}"
        return f"{self.measure}, {self.samples_seen} samples seen by every trained arm; intervals are over {over}"

    def scores(self) -> list[tuple[str, str, str, str, str]]:
        """One row an arm: name, pairs, seeds, score, interval."""
        return [(a.name, str(a.pairs), _seeds(a), f"{a.macro:.3f}", f"{a.low:.3f} to {a.high:.3f}") for a in self.arms]

    def gains(self) -> list[tuple[str, str, str]]:
        """One row a comparison: name, difference, interval."""
        return [(d.name, f"{d.value:+.3f}", f"{d.low:+.3f} to {d.high:+.3f}") for d in self.differences]

    def means(self) -> list[tuple[str, ...]]:
        """One row a task, one column a name of `columns`; empty where a single task was scored."""
        if len(self.tasks) < 2:
            return []
        shown = [[f"{task.macros[name]:.3f}" if name in task.macros else "" for name in self.columns()]
                 for task in self.tasks]  # fmt: skip
        return [(f"{task.name} {task.metric}", *row) for task, row in zip(self.tasks, shown, strict=True)]

    def columns(self) -> list[str]:
        """The arms, and chance where a task has it."""
        return list(dict.fromkeys(name for task in self.tasks for name in task.macros))

    def about_means(self) -> str:
        """What stands above the table of every task."""
        learnt = f"; probes, fine-tuning and segmentation learn from {self.labelled}, whatever the arm"
        return _EVERY_TASK + (learnt if self.labelled else "")

    def tables(self) -> Group:
        """The terminal's view."""
        from rich.console import Group
        from rich.table import Column, Table
        from rich.text import Text

        interval = f"{self.confidence:.0%} interval"
        facts = Table("", "", show_header=False)
        for row in self.facts():
            facts.add_row(*row)
        scores = Table("arm", "pairs", "seeds", "score", interval)
        for row in self.scores():
            scores.add_row(*row)
        gains = Table("difference", "score", interval)
        for row in self.gains():
            gains.add_row(*row)
        broken = [Column(name.replace("_", "_\n"), overflow="fold", min_width=5) for name in self.columns()]
        means = Table(Column("task", min_width=12), *broken, padding=0)
        for row in self.means():
            means.add_row(row[0].replace("-", " ").replace("_", " "), *row[1:])
        every = [self.about_means(), means] if self.means() else []
        places = Text("\n".join(f"{name:<12} {place}" for name, place in self.places.items()), overflow="fold")
        return Group(f"dataset {self.dataset}", facts, self.compute(), scores, gains, *every, *self.caveats, places)

    def markdown(self) -> str:
        """The Prefect UI's view."""
        interval = f"{self.confidence:.0%} interval"
        lines = [f"# {self.dataset}", "", "| | |", "|---|---|"]
        lines += [f"| {name} | {value} |" for name, value in self.facts()]
        lines += ["", self.compute(), "", f"| arm | pairs | seeds | score | {interval} |", "|---|---|---|---|---|"]
        lines += ["| " + " | ".join(row) + " |" for row in self.scores()]
        lines += ["", f"| difference | score | {interval} |", "|---|---|---|"]
        lines += ["| " + " | ".join(row) + " |" for row in self.gains()]
        if rows := self.means():
            lines += ["", self.about_means(), "", "| task | " + " | ".join(self.columns()) + " |"]
            lines += ["|---" * (len(self.columns()) + 1) + "|", *("| " + " | ".join(row) + " |" for row in rows)]
        lines += [line for caveat in self.caveats for line in ("", caveat)]
        lines += ["", *(f"- {name}: {_link(place)}" for name, place in self.places.items())]
        return "\n".join(lines)


def _seeds(arm: Arm) -> str:
    """``0``, or ``0, 1, 2 (sd 0.012)``."""
    named = ", ".join(map(str, arm.seeds))
    return named if arm.sd is None else f"{named} (sd {arm.sd:.3f})"


def _link(place: str) -> str:
    return f"[{place}]({place})" if place.startswith(("http://", "https://")) else f"`{place}`"
