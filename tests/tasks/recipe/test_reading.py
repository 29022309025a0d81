"""YAML and JSON from outside are read within bounds, and say what they mean."""

from __future__ import annotations

import os
import time
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.recipe.errors import RecipeError
from tasks.recipe.reading import LARGEST, parse_json, parse_yaml, read_mapping


def bomb(levels: int, key: str = "a") -> str:
    """Ten times as many values at every level."""
    lines = [f"{key}0: &{key}0 [x,x,x,x,x,x,x,x,x,x]"]
    lines += [f"{key}{n}: &{key}{n} [{','.join([f'*{key}{n - 1}'] * 10)}]" for n in range(1, levels)]
    return "\n".join(lines)


MERGES = "\n".join(
    ["a0: &a0 {k0: 1, k1: 1, k2: 1}", *(f"a{n}: &a{n} {{<<: [{','.join([f'*a{n - 1}'] * 9)}]}}" for n in range(1, 12))]
)
BAD: dict[str, tuple[str, str]] = {
    "aliases that multiply": (bomb(10), "holds more than 10000 values, those that aliases repeat included"),
    "merges that multiply": (MERGES, "holds more than 10000 values"),
    "an alias in itself": ("a: &a [*a]", "the alias *a stands in what it repeats"),
    "a mapping in itself": ("plan: &p\n  x: {y: *p}", "the alias *p stands in what it repeats"),
    "a merge of itself": ("a: &a {<<: *a}", "the alias *a stands in what it repeats"),
    "an unknown alias": ("a: *b", "found undefined alias 'b'"),
    "deep lists": ("x: " + "[" * 5000, "lie more than 40 deep"),
    "deep mappings": ("{a: " * 5000, "lie more than 40 deep"),
    "deep lines": ("".join(" " * n + "a:\n" for n in range(400)), "lie more than 40 deep"),
    "many values": ("[" + "x," * 50_000, "holds more than 10000 values"),
    "many documents": ("--- 1\n--- 2\n", "but found another document"),
    "a whole number that is none": ("!!int abc", "the tag !!int is not read"),
    "an octal by a tag": ("!!int 010", "the tag !!int is not read"),
    "an object": ("!!python/object/apply:os.system [ls]", "the tag !!python/object/apply:os.system is not read"),
    "bytes": ("!!binary aGk=", "the tag !!binary is not read"),
    "a time": ("!!timestamp x", "the tag !!timestamp is not read"),
    "a set": ("!!set {a, b}", "the tag !!set is not read"),
    "a tag of one's own": ("- !mine x", "line 1, column 3: the tag !mine is not read"),
    "a key twice": ("a: 1\nb: 2\na: 3", "line 3, column 1: key 'a' is given twice"),
    "a key as number and text": ("1: a\n'1': b", "key '1' is given twice"),
    "a list as a key": ("{[a]: 1}", "found unhashable key"),
    "a tab": ("a:\n\tb: 1", "found character '\\t'"),
    "a zero byte": ("a: \0", "line 1: the character 0x00 is no text"),
    "an escape": ("a: 1\nb: '\x1b[31m'", "line 2: the character 0x1b is no text"),
    "half of a character": ("a: \udcff", "line 1: the character 0xdcff is no text"),
    "a number of 5000 digits": ("9" * 5000, "holds a number of thousands of digits"),
    "half a list": ("[1, 2", "expected ',' or ']'"),
    "no value": ("%FOO", "line 1"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_cannot_be_read_is_one_line_at_once_and_little_memory(case: str) -> None:
    text, told = BAD[case]
    tracemalloc.start()
    began = time.process_time()
    with pytest.raises(RecipeError) as caught:
        parse_yaml(text, "here")
    assert time.process_time() - began < 5  # well under a second on a quiet machine
    assert tracemalloc.get_traced_memory()[1] < 100 << 20
    tracemalloc.stop()
    message = str(caught.value)
    assert message.startswith("here: ")
    assert told in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("020", "020"), ("-07", "-07"), ("0o20", "0o20"), ("1:30", "1:30"), ("1:30.5", "1:30.5"),
        ("yes", "yes"), ("no", "no"), ("on", "on"), ("Off", "Off"), ("2024-01-31", "2024-01-31"), ("=", "="),
        ("0", 0), ("-0", 0), ("1_000", 1000), ("0x1F", 31), ("0b11", 3), ("+5", 5), ("true", True), ("False", False),
        ("1e-3", 1e-3), ("1e3", 1000.0), ("1.", 1.0), (".5", 0.5), ("0.5", 0.5), ("", None), ("~", None),
        ("null", None),
        ("!!str 5", "5"), ("'010'", "010"), ("# nothing", None),
        ("a: &x {b: 1}\nc: {<<: *x, d: 2}", {"a": {"b": 1}, "c": {"b": 1, "d": 2}}),
    ],
)  # fmt: skip
def test_values_are_those_that_people_mean(text: str, value: Any) -> None:
    found = parse_yaml(text, "here")
    assert found == value
    assert type(found) is type(value)


def test_more_values_are_read_where_they_are_asked_for() -> None:
    assert len(parse_yaml("[" + "x," * 20_000 + "]", "bank", most_values=30_000)) == 20_000


@given(st.text(alphabet=st.sampled_from("ab:-[]{},&*!|>'\"#%@ \n\t0123.~<=?\\x"), max_size=60))
def test_any_text_is_a_value_or_one_error(text: str) -> None:
    try:
        parse_yaml(text, "here")
    except RecipeError as error:
        told = str(error)
        assert "\n" not in told


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('{"a": 1, "a": 2}', "key 'a' is given twice"),
        ('{"a": NaN}', "NaN is no number"),
        ("[" * 100_000, "is nested too deep"),
        ("[1, 2", "line 1, column 6: Expecting ',' delimiter"),
        ("", "line 1, column 1: Expecting value"),
        ("9" * 5000, "Exceeds the limit"),
    ],
)
def test_json_that_cannot_be_read_is_one_line(text: str, told: str) -> None:
    with pytest.raises(RecipeError, match=r"^here: ") as caught:
        parse_json(text, "here")
    assert told in str(caught.value)


def test_json_is_read() -> None:
    assert parse_json('{"a": [1, 2.5, null, true, "x"]}', "here") == {"a": [1, 2.5, None, True, "x"]}


@pytest.mark.parametrize("codec", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_mark_says_how_a_file_is_read(codec: str, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes("dataset: ü\n".encode(codec))
    assert read_mapping(tmp_path / "a.yaml", "here") == {"dataset": "ü"}


def test_a_file_that_is_none_is_told_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "large.yaml").write_text("# " + "x" * LARGEST)
    for path, told in (
        (tmp_path / "pipe", "is no plain file"),
        (Path("/dev/zero"), "is no plain file"),
        (tmp_path, "is a folder"),
        (tmp_path / "none", "No such file"),
        (tmp_path / "large.yaml", "has more than 256 KiB"),
        (tmp_path / ("x" * 300), "File name too long"),
        (Path("a\0b"), "embedded null"),  # "byte" before Python 3.13
    ):
        with pytest.raises(RecipeError, match=told):
            read_mapping(path, "here")
