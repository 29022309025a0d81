"""A profile and its overrides become a recipe, or one message that names every problem."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
import yaml

from models import registry
from tasks.recipe.errors import RecipeError
from tasks.recipe.profile import dump_recipe, load_recipe, parse_recipe

PROFILES = Path(__file__).parents[3] / "flows" / "profiles"
GATES = "report_gates: [{kind: completeness, threshold: 1.0}]\nimage_gates: [{kind: finite, threshold: 1.0}]\n"


@pytest.fixture
def profiles(tmp_path: Path) -> Path:
    (tmp_path / "small.yaml").write_text(f"pairs: 8\n{GATES}", encoding="utf-8")
    return tmp_path


def problem(*overrides: str, profile: str = "small", folder: Path) -> str:
    with pytest.raises(RecipeError) as caught:
        load_recipe(profile, overrides, folder)
    return str(caught.value)


@pytest.mark.parametrize("name", sorted(path.stem for path in PROFILES.glob("*.yaml")))
def test_every_shipped_profile_loads_and_says_its_name(name: str) -> None:
    assert load_recipe(name, [], PROFILES).profile == name


@pytest.mark.parametrize("name", ["local", "full"])
def test_a_shipped_profile_names_generators_and_options_that_exist(name: str) -> None:
    recipe = load_recipe(name, [], PROFILES)
    reports, images = recipe.reports.generator, recipe.images.generator
    # Models load on first use, so this needs neither weights nor a GPU.
    assert registry.build(registry.REPORT_GENERATORS, reports.kind, reports.options)
    assert registry.build(registry.IMAGE_GENERATORS, images.kind, images.options)
    assert {gate.kind for gate in (*recipe.report_gates, *recipe.image_gates)} <= registry.GATES.keys()


def test_the_full_profile_asks_for_what_the_paper_asks() -> None:
    recipe = load_recipe("full", [], PROFILES)
    asked = dict(recipe.plan.per_report)
    assert (recipe.pairs, asked.pop("anatomy"), sum(asked.values()), recipe.plan.max_use) == (200_000, 3, 9, 15)
    assert recipe.images.generator.options["guidance"] == 4
    assert recipe.engine == "ray"


def test_overrides_take_numbers_text_lists_and_mappings(profiles: Path) -> None:
    recipe = load_recipe(
        "small",
        [
            "pairs=16",
            "storage.root=/tmp/a=b",
            "pretrain.learning_rate=1e-4",
            "pretrain.only=[real, synthetic]",
            "reports.generator={kind: template}",
            "images.generator.options.steps=4",
            "image_gates.0.threshold=0.5",
            "plan.per_report.anatomy=2",
            "plan.max_use=",
        ],
        profiles,
    )
    assert (recipe.pairs, recipe.storage.root, recipe.pretrain.learning_rate) == (16, "/tmp/a=b", 1e-4)
    assert tuple(recipe.pretrain.chosen) == ("real", "synthetic")
    assert (recipe.reports.generator.kind, recipe.reports.generator.options) == ("template", {})
    assert recipe.images.generator.options == {"steps": 4}
    assert recipe.image_gates[0].threshold == 0.5
    assert recipe.plan.per_report["anatomy"] == 2
    assert recipe.plan.per_report["disease"] == 1, "the other defaults stay"
    assert recipe.plan.max_use is None


def test_the_last_override_of_a_key_wins(profiles: Path) -> None:
    assert load_recipe("small", ["pairs=9", "pairs=10"], profiles).pairs == 10


@pytest.mark.parametrize("text", ["2", "1.50", "2024-01-31", "true", "0x1F"])
def test_a_text_field_takes_an_override_as_it_was_typed(text: str, profiles: Path) -> None:
    assert load_recipe("small", [f"version={text}"], profiles).version == text


def test_a_path_names_a_profile_outside_the_folder(profiles: Path, tmp_path: Path) -> None:
    recipe = load_recipe(str(profiles / "small.yaml"), [], tmp_path / "nowhere")
    assert (recipe.pairs, recipe.profile) == (8, "small")


def test_a_dump_is_loadable_again_and_spells_everything_out(tmp_path: Path) -> None:
    recipe = load_recipe("local", ["pairs=1024", "plan.max_use=3"], PROFILES)
    text = dump_recipe(recipe)
    (tmp_path / "recipe.yaml").write_text(text, encoding="utf-8")
    again = load_recipe(str(tmp_path / "recipe.yaml"), [], PROFILES)
    assert again == recipe
    assert again.profile == "local"
    assert parse_recipe(yaml.safe_load(text)) == recipe
    assert dump_recipe(again) == text
    assert "confidence: 0.95" in text


def test_unknown_profile(profiles: Path) -> None:
    (profiles / "local.yaml").write_text(GATES, encoding="utf-8")
    assert problem(profile="locla", folder=profiles) == (
        "profile 'locla': unknown profile; did you mean local? Known: local, small"
    )


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "..",
        "no/such.yaml",
        "gone.yaml",
        "a b",
        "ü",
        "a\0.yaml",
        "x" * 60 + "/y.yaml",
        "~nobody_at_all/x.yaml",
    ],
)
def test_a_profile_that_is_not_there_is_named(name: str, profiles: Path) -> None:
    assert repr(name) in problem(profile=name, folder=profiles)


def test_several_problems_come_in_one_message(profiles: Path) -> None:
    (profiles / "bad.yaml").write_text(
        f"pairs: 0\nlearning_rate: 1\npretrain: {{lerning_rate: 0.1, batch: 'many'}}\n{GATES}", encoding="utf-8"
    )
    assert problem(profile="bad", folder=profiles) == (
        "profile 'bad' has 4 problems:\n"
        "  pairs: 0 is not allowed: must be greater than or equal to 1\n"
        "  pretrain.batch: 'many' is not allowed: must be a valid integer\n"
        "  pretrain.lerning_rate: unknown key; did you mean pretrain.learning_rate?\n"
        "  learning_rate: unknown key; did you mean pretrain.learning_rate?"
    )


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("piars=3", "piars: unknown key; did you mean pairs?"),
        ("plan.bnak=x", "plan.bnak: unknown key; did you mean plan.bank?"),
        ("reports.generator.kin=x", "reports.generator.kin: unknown key; did you mean reports.generator.kind?"),
        ("image_gates.0.treshold=1", "image_gates.0.treshold: unknown key; did you mean image_gates.0.threshold?"),
        ("zzz.yyy=1", "zzz: unknown key. Known here: profile, dataset"),
        ("image_gates.7.threshold=1", "image_gates: has no item '7'; it is a list of 1, numbered from 0"),
        ("image_gates.first.threshold=1", "image_gates: has no item 'first'"),
        ("pairs.more=1", "pairs: is a plain value and has no 'more' in it"),
        ("pairs", "--set pairs: there is no '='; write key=value, such as pairs=1024"),
        ("=3", "--set =3: '' is not a dotted path such as storage.root"),
        ("plan..bank=3", "'plan..bank' is not a dotted path"),
        ("pairs=[1", "--set pairs=[1: line 1"),
        ("pairs=true", "pairs: True is not allowed: must be a valid integer"),
        ("pairs=1.5", "pairs: 1.5 is not allowed: must be a valid integer"),
        ("pairs=", "pairs: None is not allowed: must be a valid integer"),
        ("top_up=.nan", "top_up: nan is not allowed: a finite number is needed"),
        ("images.generator.options={3: x}", "images.generator.options: key 3 is not text; put it in quotes"),
        ("dataset=Bad Name", "dataset: 'Bad Name' is not allowed: must match pattern"),
        ("storage.root=ftp://x", "storage.root: 'ftp://x' is neither 'managed', an s3:// address nor a local folder"),
        ("pretrain.pairs=64", "pretrain.pairs is 64, but the run makes only 8 pairs"),
        ("pairs=020", "pairs: '020' is not allowed: must be a valid integer; a number begins with no zero: write 20"),
        ("seed=1:30", "seed: '1:30' is not allowed: must be a valid integer; a number has no colon"),
        ("images.prompt_axes=yes", "must be a valid boolean; write true or false"),
        ("storage.root=s3:/bucket", "write s3://bucket"),
        ("storage.root=Managed", "'Managed' would be a folder of that name: write managed"),
        ("storage.root=$HOME/x", "holds $HOME, which is not expanded"),
        ("storage.root=", "storage.root: None is not allowed"),
        ("storage.endpoint=localhost:9000", "is no address of a server"),
        ("sources.real.films=20001", "sources.real.films: 20001 is not allowed: must be less than or equal to 20000"),
        ("sources.real.seed=-1", "sources.real.seed: -1 is not allowed"),
        ("pretrain.learning_rate=-1", "pretrain.learning_rate: -1 is not allowed: must be greater than 0"),
        ("pretrain.warmup=2", "pretrain.warmup: 2 is not allowed"),
        ("pretrain.weight_decay=-1", "pretrain.weight_decay: -1 is not allowed"),
        ("pretrain.threads=-3", "pretrain.threads: -3 is not allowed: must be greater than or equal to 1"),
        ("curate.caps={other: -3}", "curate.caps.other: -3 is not allowed"),
        ("seed=99999999999999999999", "seed: 99999999999999999999 is not allowed: must be less than or equal to"),
        ("pairs=1e400", "pairs: inf is not allowed: a finite number is needed"),
        ("image_gates.²=1", "image_gates: has no item '²'"),
        ("image_gates." + "9" * 5000 + "=1", "image_gates: has no item"),
        (".".join("a" * 50) + "=1", "is not a dotted path"),
        ("dataset='\x1b[31m'", "line 1: the character 0x1b is no text"),
        ('dataset="\\x1b[31m"', "dataset: '\\x1b[31m' is not allowed: it holds a control character"),
        ('plan.bank="\\ud800"', "it holds a control character or half of a character"),
    ],
)
def test_a_bad_override_is_named_with_what_is_allowed(override: str, message: str, profiles: Path) -> None:
    assert message in problem(override, folder=profiles)


def test_the_tag_latest_is_no_version(profiles: Path) -> None:
    with pytest.raises(RecipeError, match="latest is the tag that follows by itself"):
        load_recipe("small", ["version=latest"], profiles)


@pytest.mark.parametrize("change", ["dataset=no", "version=010", "version=on"])
def test_a_word_that_other_readers_take_for_something_else_stays_text(change: str, profiles: Path) -> None:
    field, _, text = change.partition("=")
    assert getattr(load_recipe("small", [change], profiles), field) == text


def test_what_is_wrong_beside_what_is_wrong_is_told_too(profiles: Path) -> None:
    text = problem(
        "pairs=0",
        "piars=3",
        "image_gates=[{kind: 3, threshold: 1}]",
        "sources.real={source: 'phantom:a', films: 0, size: 9}",
        folder=profiles,
    )
    assert text.splitlines()[1:] == [
        "  pairs: 0 is not allowed: must be greater than or equal to 1",
        "  image_gates.0.kind: 3 is not allowed: must be a valid string; put it in quotes",
        "  sources.real.films: 0 is not allowed: must be greater than or equal to 1",
        "  sources.real.size: 9 is not allowed: must be greater than or equal to 64",
        "  piars: unknown key; did you mean pairs?",
    ]


@pytest.mark.parametrize(
    ("key", "told"),
    [
        ("a\\nb\\x1b[31m", "profile 'odd': key 'a\\nb\\x1b[31m' holds a control character"),
        ("k" * 1000, "profile 'odd': kkk"),
    ],
)
def test_a_message_is_of_printable_lines_however_odd_the_profile(key: str, told: str, profiles: Path) -> None:
    (profiles / "odd.yaml").write_text(f'"{key}": 1\n{GATES}', encoding="utf-8")
    text = problem(profile="odd", folder=profiles)
    assert text.startswith(told)
    assert text.isprintable()
    assert len(text) < 700


def test_a_missing_field_without_default_is_named(profiles: Path) -> None:
    (profiles / "bare.yaml").write_text("pairs: 3\n", encoding="utf-8")
    text = problem(profile="bare", folder=profiles)
    assert "report_gates: missing" in text
    assert "image_gates: missing" in text


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"pairs: 3\n  dataset: x\n", "line 2, column 10: mapping values are not allowed here"),
        (b"pairs: 3\npairs: 4\n", "line 2, column 1: key 'pairs' is given twice"),
        (b"plan: {bank: a,\n", "line 2"),
        (b"\tpairs: 3\n", "line 1, column 1: found character '\\t' that cannot start any token"),
        (b"- pairs\n", "holds a list; a profile is a mapping"),
        (b"", "is empty"),
        (b"# only words\n", "is empty"),
        (b"dataset: \xff\n", "is not UTF-8 text: byte 9 is 0xff"),
        (b"dataset: !!python/object:os.system x\n", "the tag !!python/object:os.system is not read"),
        (b"version: 2\n" + GATES.encode(), "version: 2 is not allowed: must be a valid string; put it in quotes"),
    ],
)
def test_a_file_that_is_no_profile_is_named_with_the_place(content: bytes, message: str, profiles: Path) -> None:
    (profiles / "odd.yaml").write_bytes(content)
    text = problem(profile="odd", folder=profiles)
    assert text.startswith("profile 'odd': ")
    assert "\n" not in text
    assert message in text


def test_the_error_survives_a_process_border() -> None:
    error = pickle.loads(pickle.dumps(RecipeError("profile 'x'", ["a", "b"])))
    assert str(error) == "profile 'x' has 2 problems:\n  a\n  b"
