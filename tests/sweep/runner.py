"""Run cases, each command in a forked child: the command line is imported once, and nothing outlives a case.

python -m tests.sweep.runner FOLDER CASES RUNS SEED
    at most CASES of each kind (0: all), each under RUNS of its commands (0: all); writes results.json into FOLDER.
"""

from __future__ import annotations

import gc
import hashlib
import json
import os
import re
import resource
import shutil
import signal
import stat
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random

from tests.sweep.cases import Case
from tests.sweep.corpus import corpus
from tests.sweep.stages import replace_models
from tests.sweep.world import PROFILE, Command, build_store

MEMORY = 1 << 30
SECONDS = 20
"""Processor time of a command; three times as much may pass on a machine that is shared."""
_PROGRESS = re.compile(r"[^:]*: \d+/\d+( .*)?|note: .*")
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


@dataclass(frozen=True)
class Result:
    """What a command made of a case; `faults` is empty where it ended as it should."""

    kind: str
    case: str
    command: str
    code: int
    said: str
    faults: tuple[str, ...]


@dataclass(frozen=True)
class Ended:
    """How a child ended."""

    code: int
    out: str
    err: str
    memory: int
    hung: bool


def main(folder: Path, cases: int, runs: int, seed: int) -> list[Result]:
    """Build the store, run the cases, judge them."""
    random = Random(seed)
    good = folder / "good"
    build_store(good)
    chosen = corpus(good)
    if cases:
        kinds = dict.fromkeys(case.kind for case in chosen)
        held = {kind: [case for case in chosen if case.kind == kind] for kind in kinds}
        chosen = [case for some in held.values() for case in random.sample(some, min(cases, len(some)))]
    os.environ.update(SYNTHCXR_HOME=str(folder / "home"), COLUMNS="300", PREFECT_API_URL="http://127.0.0.1:9/api")
    replace_models()
    _import_all()
    gc.collect()
    gc.freeze()
    results = []
    for number, case in enumerate(chosen):
        lines = case.lines if case.kind == "good" else _one_of_each(case.lines, random)
        lines = random.sample(lines, min(runs, len(lines))) if runs and case.kind != "good" else lines
        results += run_case(case, lines, folder / f"case-{number}", good)
    return results


def _one_of_each(lines: Sequence[Command], random: Random) -> list[Command]:
    """Every command once, with one of the sets of options in `lines`."""
    kinds: dict[str, list[Command]] = {}
    for line in lines:
        kinds.setdefault(line.words[0] + ("--apply" in line.words) * " --apply", []).append(line)
    return [random.choice(some) for some in kinds.values()]


def run_case(case: Case, lines: Sequence[Command], place: Path, good: Path) -> list[Result]:
    """One bad thing under every command in `lines`."""
    place.mkdir()
    results = []
    fresh = False
    for command in lines:
        if not fresh:
            _set_up(case, place, good)
        before = snapshot(place / "store")
        words = [word.format(root=place / "store", profile=place / "profile.yaml", bank=place / "bank")
                 for word in command.words]  # fmt: skip
        ended = in_child(words, place)
        fresh = snapshot(place / "store") == before
        faults = judge(case, command, ended, fresh)
        said = (ended.err or ended.out).strip()[-600:]
        results.append(Result(case.kind, case.name, " ".join(command.words), ended.code, said, tuple(faults)))
    shutil.rmtree(place)
    return results


def judge(case: Case, command: Command, ended: Ended, untouched: bool) -> list[str]:
    """What is wrong with how a command ended."""
    lines = [line for line in ended.err.splitlines() if line.strip() and not _PROGRESS.fullmatch(line)]
    faults = []
    if ended.hung:
        faults.append("hung")
    if "Traceback" in ended.out + ended.err or "please report" in ended.err:
        faults.append("traced")
    if ended.memory > MEMORY:
        faults.append("over memory")
    if not untouched and not (command.writes and ended.code == 0):
        faults.append("wrote")
    if _CONTROL.search(ended.out + ended.err):
        faults.append("raw control characters")
    named = any(name in line for name in case.names for line in (*lines, ended.out))
    fine = (
        {0: True}
        if case.kind == "good"
        else {
            0: not lines,
            1: command.words[0] == "verify" and named,
            2: _is_one_error(lines) and named,
        }
    )
    if not fine.get(ended.code, False):
        faults.append("unclear")
    if case.broken and ended.code == 0 and not (command.words[0] in ("versions", "gc", "status") and named):
        faults.append("taken")
    return faults


def _is_one_error(lines: list[str]) -> bool:
    """One line, or one that gives the number of problems and a line for each."""
    if not lines or not lines[0].startswith("error: "):
        return False
    said = re.search(r" has (\d+) problems:$", lines[0])
    rest = lines[1:]
    return (len(rest) == int(said[1]) if said else not rest) and all(line.startswith("  ") for line in rest)


def in_child(words: list[str], place: Path) -> Ended:
    """Run a command line in a fork, within bounds."""
    out, err = place / "stdout", place / "stderr"
    child = os.fork()
    if child == 0:
        _become(words, out, err)
    deadline = time.monotonic() + 3 * SECONDS
    hung = False
    while True:
        ended, status, used = os.wait4(child, os.WNOHANG)
        if ended:
            break
        if time.monotonic() > deadline and not hung:
            hung = True
            os.kill(child, signal.SIGKILL)
        time.sleep(0.005)
    code = os.waitstatus_to_exitcode(status)
    hung = hung or code == -signal.SIGXCPU
    said, told = (path.read_text(errors="replace") if path.exists() else "" for path in (out, err))
    return Ended(code, said, told, used.ru_maxrss * 1024, hung)


def _become(words: list[str], out: Path, err: Path) -> None:
    """The child: bounds, its own output, then the command line; it never returns."""
    code = 70
    try:
        os.setsid()
        for stream, path in ((1, out), (2, err)):
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.dup2(handle, stream)
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        data = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmData"))
        most = int(data.split()[1]) * 1024 + MEMORY
        resource.setrlimit(resource.RLIMIT_DATA, (most, most))
        resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS + 5))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        from flows.cli.app import app

        app(words)
        code = 0
    except SystemExit as left:
        code = left.code if isinstance(left.code, int) else 0 if left.code is None else 1
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def snapshot(folder: Path) -> dict[str, str]:
    """What a folder holds, by path: kind, size and contents."""
    found = {}
    for root, names, files in os.walk(folder):
        names[:] = [name for name in names if name != ".tmp"]
        for name in [*files, *(name for name in names if os.path.islink(os.path.join(root, name)))]:
            path = os.path.join(root, name)
            info = os.lstat(path)
            content = ""
            if stat.S_ISREG(info.st_mode) and info.st_size < 64 << 20:
                content = hashlib.sha256(Path(path).read_bytes()).hexdigest()
            found[path] = f"{stat.S_IFMT(info.st_mode)} {info.st_size} {content}"
    return found


def _set_up(case: Case, place: Path, good: Path) -> None:
    for child in place.iterdir():
        shutil.rmtree(child) if child.is_dir() and not child.is_symlink() else child.unlink()
    shutil.copytree(good, place / "store")
    (place / "profile.yaml").write_text(PROFILE)
    path = place / case.path
    path.parent.mkdir(parents=True, exist_ok=True)
    case.place(path)


def _import_all() -> None:
    """What the commands import when they run, so that a child does not pay for it."""
    import tasks.fidelity.report
    import tasks.privacy.audit
    import tasks.store.collect
    import tasks.store.explain
    import tasks.store.verify  # noqa: F401


if __name__ == "__main__":
    where, *numbers = sys.argv[1:]
    found = main(Path(where), *map(int, numbers))
    Path(where, "results.json").write_text(json.dumps([asdict(result) for result in found], indent=1))
