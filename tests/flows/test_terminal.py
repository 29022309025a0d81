"""Nothing that comes from elsewhere steers the terminal."""

from __future__ import annotations

import io
import json
import sys

import pytest
from rich.table import Table
from rich.text import Text

from flows.progress import Progress
from flows.terminal import console, one_line, plain, say, say_json

HOSTILE = "a\x1b]0;title\x07b\x9b2Jc\u202ed\u2066e\rf\x00g\ud800h\udcffi\U000e0041j\u2028k\ufeff"
SAFE = r"a\x1b]0;title\x07b\x9b2Jc\u202ed\u2066e\x0df\x00g\ud800h\xffi\U000e0041j\u2028k\ufeff"


def test_what_steers_a_terminal_is_written_out() -> None:
    assert plain(HOSTILE) == SAFE


@pytest.mark.parametrize("text", ["é ü 肺 → … ±", "two\nlines\tand a tab", "naïve [bold]", "नमस्ते", "👨‍👩‍👧"])
def test_text_stays_as_it_is(text: str) -> None:
    assert plain(text) == text


def test_a_message_becomes_one_line() -> None:
    assert one_line("profile 'x' has 2 problems:\n  pairs: no\n  seed: no\n") == (
        "profile 'x' has 2 problems: pairs: no; seed: no"
    )
    assert one_line("a\r\n\n b\x0bc\x1b[2J") == r"a; b; c\x1b[2J"
    assert one_line("x" * 50, most=10) == "x" * 10 + "… (40 characters more)"


def test_tables_texts_and_markup_are_shown_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    table = Table("[red]head[/red]", f"h{HOSTILE}")
    table.add_row("[link=file:///etc/passwd]x[/link]", HOSTILE)
    table.add_row(Text(HOSTILE), "")
    screen = console()
    screen.width = 400
    screen.print(table)
    screen.print(f"[bold]{HOSTILE}")
    out = capsys.readouterr().out
    assert out.count(SAFE) == 3
    assert "[red]head[/red]" in out
    assert "[link=file:///etc/passwd]x[/link]" in out
    assert not set(out) & {"\x1b", "\x07", "\x9b", "\u202e", "\r"}


def test_lines_are_made_safe_on_both_streams(capsys: pytest.CaptureFixture[str]) -> None:
    say(HOSTILE)
    say(HOSTILE, err=True)
    assert capsys.readouterr() == (f"{SAFE}\n", f"{SAFE}\n")


def test_json_keeps_its_value(capsys: pytest.CaptureFixture[str]) -> None:
    text = json.dumps({"a": "x\u202e\x9b\U000e0041y\n"}, ensure_ascii=False)
    say_json(text)
    out = capsys.readouterr().out
    assert out.isascii()
    assert json.loads(out) == json.loads(text)


def test_progress_is_made_safe(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress() as progress:
        progress.say(HOSTILE)
        progress.stage(HOSTILE, 1, 1)
    err = capsys.readouterr().err
    assert "\x1b" not in err
    assert "\u202e" not in err


def test_a_terminal_of_a_small_character_set_gets_escapes(monkeypatch: pytest.MonkeyPatch) -> None:
    from flows.terminal import survive_encodings

    held = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(held, encoding="ascii"))
    survive_encodings()
    console().print("thorax → lung…")
    sys.stdout.flush()
    assert held.getvalue() == rb"thorax \u2192 lung\u2026" + b"\n"
