"""YAML that is legal, nearly legal or hostile, around a good mapping given as text."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from tests.sweep.mutations import Data


def hostile_yaml(good: str) -> Iterator[tuple[str, Data]]:
    """Texts that begin or end with `good`."""
    laughs = "".join(f"x{n}: &x{n} [{', '.join([f'*x{n - 1}'] * 9)}]\n" for n in range(1, 12))
    texts: dict[str, str | Callable[[], str]] = {
        "aliases that multiply": f"x0: &x0 [lol, lol, lol]\n{laughs}{good}",
        "mappings that multiply": "a: &a {x: 1}\n"
        + "".join(f"m{n}: &m{n} {{l: *{'a' if n == 0 else f'm{n - 1}'}, r: *{'a' if n == 0 else f'm{n - 1}'}}}\n"
                  for n in range(40))
        + good,
        "a list in itself": f"plan: &p\n  bank: [*p]\n{good}",
        "a mapping in itself": f"&top\nself: *top\n{good}",
        "deep lists": "pairs: " + "[" * 20_000 + "]" * 20_000,
        "deep lists, open": "pairs: " + "[" * 3_000,
        "deep mappings": "pairs: " + "{a: " * 900 + "1" + "}" * 900,
        "deep blocks": "\n".join(" " * n + "a:" for n in range(1500)),
        "a python object": f"{good}\nseed: !!python/object/apply:os.system [id]\n",
        "a python name": f"{good}\ndataset: !!python/name:os.system\n",
        "no integer": f"{good}\nseed: !!int abc\n",
        "no float": f"{good}\ncost_per_hour: !!float abc\n",
        "no boolean": f"{good}\nversion: !!bool perhaps\n",
        "no time": f"{good}\nversion: !!timestamp noon\n",
        "a date": f"{good}\nversion: 2024-01-01\n",
        "a broken date": f"{good}\nversion: !!timestamp 2024-13-45\n",
        "binary": f"{good}\ndataset: !!binary aGVsbG8=\n",
        "broken binary": f"{good}\ndataset: !!binary '@@@'\n",
        "a set": f"{good}\nplan: !!set {{a, b}}\n",
        "an ordered map": f"{good}\nplan: !!omap [a: 1]\n",
        "pairs of values": f"{good}\nplan: !!pairs [a: 1, a: 2]\n",
        "an unknown tag": f"{good}\nplan: !mine {{a: 1}}\n",
        "an octal": f"{good}\nseed: 0777\n",
        "a number of base 60": f"{good}\nseed: 1:30\n",
        "a hexadecimal": f"{good}\nseed: 0xFFFFFFFFFFFFFFFFFFFFFFFF\n",
        "five thousand digits": f"{good}\nseed: {'9' * 5000}\n",
        "not a number": f"{good}\ncost_per_hour: .nan\n",
        "infinity": f"{good}\ncost_per_hour: -.inf\n",
        "a number as key": f"{good}\n1: 2\n",
        "nothing as key": f"{good}\n~: 2\n",
        "a list as key": f"{good}\n? [a, b]\n: 2\n",
        "a mapping as key": f"{good}\n? {{a: b}}\n: 2\n",
        "a key twice": f"{good}\nseed: 1\nseed: 2\n",
        "merged mappings": f"base: &b {{seed: 1}}\n<<: *b\n{good}",
        "merging no mapping": f"<<: [1, 2]\n{good}",
        "an unknown alias": f"{good}\nplan: *nobody\n",
        "tabs": good.replace("  ", "\t"),
        "two documents": f"{good}\n---\n{good}",
        "a version of the future": f"%YAML 9.9\n---\n{good}",
        "an unknown directive": f"%HELLO\n---\n{good}",
        "a long key": f"{good}\n{'k' * 5000}: 1\n",
        "an open quote": f'{good}\nversion: "v1\n',
        "an open brace": f"{good}\nplan: {{bank: phantom\n",
        "windows line ends": good.replace("\n", "\r\n"),
        "old line ends": good.replace("\n", "\r"),
        "a scalar": "just words",
        "a list": "- a\n- b\n",
        "only a comment": "# nothing\n",
        "ten megabytes of comments": lambda: "# comment\n" * 1_000_000 + good,
        "a list of a million": lambda: f"{good}\nplan: [{'1, ' * 1_000_000}1]\n",
        "a long text": lambda: f"{good}\nversion: {'v' * 3_000_000}\n",
        "escape codes": f'{good}\nversion: "\\x1b[2Jv1"\n',
        "a reversed name": f'{good}\ndataset: "\\u202enoitan"\n',
        "a zero in a text": f'{good}\ndataset: "a\\0b"\n',
        "a path that climbs": f"{good}\nversion: ../../etc\n",
        "a bucket of one slash": f"{good}\nstorage: {{root: 's3:/bucket'}}\n",
        "a variable": f"{good}\nplan: {{bank: $HOME/bank.csv}}\n",
    }  # fmt: skip
    for name, text in texts.items():
        yield name, (lambda text=text: text().encode()) if callable(text) else text.encode("utf-8", "surrogatepass")
