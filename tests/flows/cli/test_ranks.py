"""Under torchrun the first process runs the command and the others end when it has."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


def test_a_mistake_is_told_once_and_no_process_stays(tmp_path: Path) -> None:
    torchrun, synth = (Path(sys.executable).with_name(name) for name in ("torchrun", "synth"))
    command = [torchrun, "--standalone", "--nproc-per-node", "2", "--no-python", synth, "pretrain"]
    ended = subprocess.run(
        [*command, "--set", "pretrain.batch=33", "--set", f"storage.root={tmp_path}"],
        env=os.environ | {"SYNTHCXR_HOME": str(tmp_path / "home"), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert ended.returncode != 0
    told = [line for line in ended.stderr.splitlines() if "pretrain.batch" in line]
    assert len(told) == 1
    assert "33 pairs cannot be shared by the 2 processes that torchrun started" in told[0]
