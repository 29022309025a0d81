"""`python -m models.phantom`: a contact sheet of an archive, and how fast it renders."""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from models.phantom.archive import films
from models.phantom.hospital import HOSPITALS
from models.phantom.sheet import contact_sheet
from models.phantom.vocabulary import phrase


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("phantom"), help="folder for the sheet")
    parser.add_argument("--hospital", choices=sorted(HOSPITALS), default="a")
    parser.add_argument("--count", type=int, default=24, help="films on the sheet")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--size", type=int, default=128, help="pixels a side")
    options = parser.parse_args()
    started = time.perf_counter()
    done = list(films(HOSPITALS[options.hospital], options.seed, range(options.count), options.size))
    speed = options.count / (time.perf_counter() - started)
    captions = [
        (f"[{f.defect}] " if f.defect else "") + (", ".join(map(phrase, f.findings)) or "normal") for f in done
    ]
    options.out.mkdir(parents=True, exist_ok=True)
    path = options.out / f"hospital-{options.hospital}.png"
    contact_sheet([film.image for film in done], captions).save(path)
    print(f"{path}: {options.count} films of {options.size} px, {speed:.0f} films/s in one process")


if __name__ == "__main__":
    main()
