"""The command `synth retry`: give shards that are set aside their attempts again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli.store import Endpoint, Region, Root, opened
from flows.terminal import say

if TYPE_CHECKING:
    from storage.layout import DatasetRef
    from storage.objects import ObjectStore

app = typer.Typer(rich_markup_mode=None)


@app.command()
def retry(
    dataset: Annotated[str, typer.Argument(metavar="NAME[@VERSION]", help="A dataset, or one version of it.")],
    shards: Annotated[
        list[int] | None, typer.Argument(metavar="[SHARD]...", min=0, help="Only these; all where none is named.")
    ] = None,
    root: Root = "managed",
    endpoint: Endpoint = None,
    region: Region = None,
) -> None:
    """Give shards that a run has set aside their attempts again; the next run tries them.

    \b
    synth retry phantom-cxr@v-7b10dede75           every one
    synth retry phantom-cxr@v-7b10dede75 5 9       these two
    """
    with opened(root, endpoint, region, writes=True) as store:
        cleared = [(ref, _clear(store, ref, shards)) for ref in _versions(store, dataset)]
    found = {shard for _, numbers in cleared for shard in numbers}
    if strange := sorted({*(shards or ())} - found):
        raise typer.BadParameter(f"{', '.join(map(str, strange))}: not set aside, as `synth status` shows")
    for ref, numbers in cleared:
        if numbers:
            say(f"{ref.name}@{ref.version}: the next run tries {', '.join(map(str, numbers))} again")
    if not found:
        say(f"{dataset}: no shard is set aside")


def _clear(store: ObjectStore, ref: DatasetRef, shards: list[int] | None) -> list[int]:
    from storage.attempts import Attempts

    return Attempts(store, ref).clear(set(shards) if shards else None)


def _versions(store: ObjectStore, dataset: str) -> list[DatasetRef]:
    from storage.tags import resolve
    from storage.versions import begun

    refs = [] if "@" in dataset or "/" in dataset else begun(store, dataset)
    return refs or [resolve(store, dataset)]
