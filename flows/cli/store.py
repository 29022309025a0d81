"""Commands that look after the store: status, versions, diff, tag, explain, verify, gc."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flows.cli.explained import explained
from flows.services.home import prepare
from flows.terminal import console, say, say_json

if TYPE_CHECKING:
    from pydantic import ValidationError

    from storage.objects import ObjectStore

app = typer.Typer(rich_markup_mode=None)
LONGEST_AGE = 1_000_000
"""Hours; more than a hundred years."""

Root = Annotated[
    str, typer.Option("--root", help="The store: 'managed', a local folder, or s3://bucket/prefix.", metavar="STORE")
]
Endpoint = Annotated[str | None, typer.Option(help="Address of an S3 server that is not Amazon's.")]
Region = Annotated[
    str | None, typer.Option(help="Region of the bucket. [default: AWS_REGION, AWS_DEFAULT_REGION or us-east-1]")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for other programs.")]
VersionName = Annotated[
    str, typer.Argument(metavar="NAME[@VERSION]", help="A version, a tag such as @champion, or a name for its latest.")
]


@app.command()
def status(
    dataset: Annotated[str, typer.Argument(metavar="NAME[@VERSION]", help="A dataset, or one version of it.")],
    every: Annotated[bool, typer.Option("--all", help="Count every committed shard, however long it takes.")] = False,
    shards: Annotated[bool, typer.Option("--shards", help="One line for each shard.")] = False,
    as_json: Json = False,
    root: Root = "managed",
    endpoint: Endpoint = None,
    region: Region = None,
) -> None:
    """Say what of a dataset is done, missing and rejected, per stage and shard. Only the store is asked.

    \b
    synth status phantom-cxr                    every version of it
    synth status phantom-cxr@v-7b10dede75 --shards
    """
    from flows.cli.store_views import show_status
    from storage.tags import resolve
    from storage.versions import VersionPlace, begun
    from tasks.store.status import COUNTING
    from tasks.store.status import status as look

    with opened(root, endpoint, region) as store:
        refs = [] if "@" in dataset or "/" in dataset else begun(store, dataset)
        seconds = None if every else COUNTING
        found = [look(VersionPlace(store, ref), seconds=seconds) for ref in refs or [resolve(store, dataset)]]
        _show(found, as_json, lambda: [show_status(item, shards) for item in found])


@app.command()
def versions(
    dataset: Annotated[str, typer.Argument(metavar="[NAME]", help="Only this dataset's.")] = "",
    as_json: Json = False,
    root: Root = "managed",
    endpoint: Endpoint = None,
    region: Region = None,
) -> None:
    """List dataset versions, oldest first, with their parents and tags. A published version never changes.

    \b
    synth versions
    synth versions phantom-cxr --root ./store
    """
    from flows.cli.store_views import show_versions
    from tasks.store.versions import history

    with opened(root, endpoint, region) as store:
        lines = history(store, dataset)
        _show(lines, as_json, lambda: show_versions(lines, store.root))


@app.command()
def diff(
    before: Annotated[str, typer.Argument(metavar="V1", help="NAME@VERSION, or a version alone.")],
    after: Annotated[str, typer.Argument(metavar="V2", help="NAME@VERSION, or a version or tag of the same dataset.")],
    as_json: Json = False,
    root: Root = "managed",
    endpoint: Endpoint = None,
    region: Region = None,
) -> None:
    """Show how two published versions differ, in recipe and in what came of it.

    \b
    synth diff v-7b10dede75 v-91c0a44b02
    synth diff phantom-cxr@champion latest
    """
    from flows.cli.store_views import show_diff
    from storage.errors import DatasetMissing
    from storage.tags import resolve
    from storage.versions import Version
    from tasks.store.versions import compare

    with opened(root, endpoint, region) as store:
        one = resolve(store, before)
        try:
            other = resolve(store, after if "@" in after or "/" in after else f"{one.name}@{after}")
        except DatasetMissing:
            other = resolve(store, after)
        found = compare(Version.open(store, one), Version.open(store, other))
        _show(found, as_json, lambda: show_diff(found))


@app.command()
def tag(
    version: VersionName,
    name: Annotated[str, typer.Argument(metavar="TAG", help="Such as champion.")],
    root: Root = "managed",
    endpoint: Endpoint = None,
    region: Region = None,
) -> None:
    """Point a tag at a published version. `latest` follows by itself; what a tag said before is kept.

    \b
    synth tag phantom-cxr@v-7b10dede75 champion
    synth verify phantom-cxr@champion
    """
    from storage.tags import resolve, set_tag

    with opened(root, endpoint, region, writes=True) as store:
        made = set_tag(store, resolve(store, version), name)
        say(f"{made.dataset}@{made.tag} is {made.version}")


@app.command()
def explain(
    sample: Annotated[str, typer.Argument(metavar="SAMPLE-ID", help="Such as 7b10dede-00000042.")],
    dataset: Annotated[
        str | None, typer.Option("--in", metavar="NAME@VERSION", help="Look in this version only.")
    ] = None,
    as_json: Json = False,
    root: Root = "managed",
    endpoint: Endpoint = None,
    region: Region = None,
) -> None:
    """Tell a sample's whole story: entities, prompts, seeds, models, gates, place, and who used it.

    \b
    synth explain 7b10dede-00000042
    synth explain 7b10dede-00000042 --in phantom-cxr@latest --json
    """
    from flows.cli.store_views import show_explanation
    from storage.tags import resolve
    from tasks.store.explain import explain_everywhere

    with opened(root, endpoint, region) as store:
        found = explain_everywhere(store, sample, resolve(store, dataset) if dataset else None)
        _show(found, as_json, lambda: [show_explanation(item) for item in found])


@app.command()
def verify(
    version: VersionName,
    as_json: Json = False,
    root: Root = "managed",
    endpoint: Endpoint = None,
    region: Region = None,
) -> None:
    """Read a published version whole: hashes, index against tar against manifest, every film, every reference.

    Ends with exit code 1 and the names of the objects when something is wrong.

    \b
    synth verify phantom-cxr@latest
    synth verify phantom-cxr@v-7b10dede75 --root s3://films/synth
    """
    from flows.cli.store_views import show_verification
    from flows.progress import Progress
    from storage.tags import resolve
    from tasks.store.verify import verify_dataset

    with opened(root, endpoint, region) as store:
        ref = resolve(store, version)
        with Progress() as progress:
            found = verify_dataset(store, ref, lambda done, of: progress.stage(f"verify {ref}", done, of))
        _show(found, as_json, lambda: show_verification(found))
    if found.problems:
        raise typer.Exit(1)


def _age(hours: float) -> float:
    """An age in hours that a clock can subtract; NaN is none."""
    if not 0 <= hours <= LONGEST_AGE:
        raise typer.BadParameter(f"{hours} is not between 0 and {LONGEST_AGE}")
    return hours


@app.command()
def gc(
    apply: Annotated[bool, typer.Option("--apply", help="Remove what the dry run lists.")] = False,
    abandon: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME@VERSION", help="Also give up an unfinished version that nothing refers to."),
    ] = None,
    hours: Annotated[
        float, typer.Option(callback=_age, help="Age at which an unfinished write counts as left behind.")
    ] = 24.0,
    as_json: Json = False,
    root: Root = "managed",
    endpoint: Endpoint = None,
    region: Region = None,
) -> None:
    """List what nothing reaches, and remove it with --apply.

    Nothing that a manifest, selection, checkpoint or tag reaches is ever removed, and no unfinished version unless it
    is given up by name.

    \b
    synth gc                                     a dry run
    synth gc --apply
    synth gc --abandon phantom-cxr@v-91c0a44b02 --apply
    """
    from datetime import timedelta

    from flows.cli.store_views import show_garbage
    from storage.tags import resolve
    from tasks.store.collect import collect, find_garbage

    with opened(root, endpoint, region) as store:
        given_up = [resolve(store, text) for text in abandon or ()]
        garbage = find_garbage(store, abandon=given_up, older=timedelta(hours=hours))
        if apply:
            collect(garbage)
        _show(garbage, as_json, lambda: show_garbage(garbage, apply))


@contextmanager
def opened(
    root: str, endpoint: str | None, region: str | None = None, *, writes: bool = False
) -> Iterator[ObjectStore]:
    """The store, errors as one message; it is neither written nor probed unless `writes`."""
    from pydantic import ValidationError

    from flows.session import open_storage
    from tasks.recipe.schema import StorageSection

    try:
        section = StorageSection(root=root, endpoint=endpoint, region=region)
    except ValidationError as error:
        raise typer.BadParameter(_first_problem(error)) from None
    with explained(), open_storage(section, prepare(room=writes), writes=writes) as store:
        yield store


def _first_problem(error: ValidationError) -> str:
    """Which option is wrong and why, without its password."""
    from storage.addresses import redact

    first = error.errors(include_url=False)[0]
    return redact(f"--{first['loc'][0]}: {first['msg'].removeprefix('Value error, ')}")


def _show(found: Any, as_json: bool, table: Any) -> None:
    """Print `found` as JSON, or as `table` shows it."""
    if not as_json:
        screen, shown = console(), table()
        for part in shown if isinstance(shown, list) else [shown]:
            screen.print(part)
        return
    from pydantic_core import to_json

    say_json(to_json(found, indent=1, fallback=str).decode())
