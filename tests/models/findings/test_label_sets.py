"""The tables of label sets are sound, a file of one's own is read like them, and its mistakes are told clearly."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models.contracts import EntityType
from models.findings.label_finder import LabelFinder, finder_of, named_label
from models.findings.label_sets import UnknownLabels, UnknownLabelSet, load, names, plain
from models.findings.ontology import FINDING_TYPES, ancestors, concepts, frames, phrases
from models.findings.table_files import TableError
from tasks.corpora.archives.layouts import chexpert, covid_rural, covidx, nih, rsna, siim, vindr

SETS = (
    "chexpert-14",
    "covid-rural",
    "covidx",
    "nih-14",
    "nih-radiologists",
    "openi",
    "padchest",
    "phantom",
    "rsna",
    "siim",
    "vindr",
)
EVERY_LABEL = [(name, label.name) for name in SETS for label in load(name).labels]


def test_these_sets_ship() -> None:
    assert names() == SETS
    assert load("nih-14") is load("nih-14")


@pytest.mark.parametrize("name", SETS)
def test_every_label_of_a_table_is_named_once_and_can_be_said(name: str) -> None:
    found = load(name)
    spellings = [plain(text) for label in found.labels for text in {plain(label.name), *map(plain, label.aliases)}]
    assert len(set(spellings)) == len(spellings)
    assert all(label.prompts for label in found.labels)
    assert all(concept in concepts() for label in found.labels for concept in (*label.means, *label.kind_of))


@pytest.mark.parametrize(
    ("name", "labels", "none"),
    [
        ("chexpert-14", chexpert.OBSERVATIONS, "No Finding"),
        ("nih-14", (*nih.FINDINGS, nih.NONE), "No Finding"),
        ("vindr", vindr.FINDINGS, vindr.NONE),
        ("rsna", (rsna.FINDING, "No Finding"), "No Finding"),
        ("siim", (siim.FINDING,), None),
        ("covid-rural", (covid_rural.FINDING,), None),
        ("covidx", (covidx.COVID, covidx.PNEUMONIA, covidx.NONE), covidx.NONE),
    ],
)
def test_a_table_has_the_labels_that_its_archive_gives_and_no_other(
    name: str, labels: tuple[str, ...], none: str | None
) -> None:
    found = load(name)
    assert found.unknown(labels) == []
    assert {label.name for label in map(found.find, labels) if label} == set(found.names)
    assert found.no_finding == none


@pytest.mark.parametrize(("name", "label"), EVERY_LABEL)
def test_a_labels_own_phrases_are_recognised_as_that_label(name: str, label: str) -> None:
    finder, own = finder_of(name), load(name).find(label)
    assert own is not None
    for phrase in (*own.prompts, *own.phrases):
        stated, denied = finder.recognise([f"There is {phrase}.", f"There is no evidence of {phrase}."])
        assert stated.get(own.name) is True, phrase
        assert denied.get(own.name, False) is False, phrase


def test_a_kind_of_a_finding_states_the_broader_label_and_its_denial_does_not_deny_it() -> None:
    finder = finder_of("chexpert-14")
    stated, denied, broader = finder.recognise(["Right basilar pneumonia.", "No pneumonia.", "No focal opacity."])
    assert stated == {"Lung Opacity": True, "Pneumonia": True}
    assert denied == {"Pneumonia": False}
    assert broader["Lung Opacity"] is broader["Pneumonia"] is broader["Edema"] is False


def test_the_phantoms_set_is_read_by_its_patterns() -> None:
    found = LabelFinder(load("phantom")).find("Dense right upper lobe airspace disease.")
    assert [(item.label, item.side, item.zone, item.severity) for item in found] == [
        ("consolidation", "right", "upper zone", "dense")
    ]


def test_every_pattern_of_a_table_is_a_regular_expression() -> None:
    for label in load("phantom").labels:
        assert label.patterns
        for pattern in (*label.patterns, *label.normal_patterns):
            assert re.compile(pattern)


def test_concepts_are_kinds_of_concepts_and_never_of_themselves() -> None:
    for concept in concepts().values():
        assert all(parent in concepts() for parent in concept.is_a)
        assert concept.name not in ancestors(concept.name)
        assert all(finding in concepts() for finding in concept.sign_of)
    assert all(frame.concept in concepts() for frame in frames())
    assert {kind for _, kind in phrases().values()} <= {*FINDING_TYPES, EntityType.NON_ABNORMALITY}


def test_names_are_found_however_they_are_spelled() -> None:
    nih_14 = load("nih-14")
    for spelling in ("Pleural_Thickening", "pleural thickening", "PLEURAL  THICKENING"):
        assert nih_14.find(spelling) is nih_14.find("Pleural_Thickening")
    assert nih_14.find("Infiltrate") is nih_14.find("Infiltration")


def test_unknown_labels_are_told_all_at_once_with_what_the_set_knows() -> None:
    with pytest.raises(UnknownLabels) as raised:
        load("siim").check(["Pneumothorax", "Pneumothoraks", "Cat"], "test set b@v1")
    assert str(raised.value) == (
        "test set b@v1: label set siim has no 'Pneumothoraks' (did you mean 'Pneumothorax'?), 'Cat'; it knows "
        "Pneumothorax"
    )
    load("padchest").check(["exclude", "normal", "nodule"])


def test_groups_are_findings_of_the_set_in_its_order() -> None:
    padchest = load("padchest")
    assert {name: len(padchest.group(name)) for name in padchest.groups} == {"seen": 13, "unseen": 26, "rare": 39}
    assert load("chexpert-14").group("competition") == (
        "Cardiomegaly", "Edema", "Consolidation", "Atelectasis", "Pleural Effusion"
    )  # fmt: skip
    with pytest.raises(UnknownLabels, match="label set siim has no group 'rare'; its groups: none"):
        load("siim").group("rare")


def test_an_unknown_set_is_told_with_those_that_ship() -> None:
    with pytest.raises(UnknownLabelSet, match=r"unknown label set 'nih14' \(did you mean 'nih-14'\?\): it is one of"):
        load("nih14")


OWN = """\
# Of my hospital.
name: mine
no_finding: normal
remarks: [bad exposure]
labels:
  - {name: Effusion, means: [pleural effusion], prompts: [pleural effusion, a layering fluid]}
  - {name: Old_fracture, kind_of: [rib fracture]}
  - {name: Clip, type: non_abnormality, means: [surgical clip]}
  - {name: dog bite, type: disease}
"""


def written(folder: Path, text: str | bytes) -> str:
    path = folder / "mine.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return str(path)


def test_a_file_of_ones_own_is_a_label_set(tmp_path: Path) -> None:
    found = load(written(tmp_path, OWN))
    assert found.names == ("Effusion", "Old_fracture", "Clip", "dog bite")
    assert [label.type.value for label in found.labels] == ["abnormality", "abnormality", "non_abnormality", "disease"]
    assert found.labels[1].prompts == ("old fracture",)
    assert found.sha256
    assert finder_of(found).recognise(["Layering fluid on the left. No dog bite."]) == [
        {"Effusion": True, "dog bite": False}
    ]


def test_a_file_that_changed_is_read_anew(tmp_path: Path) -> None:
    before = load(written(tmp_path, OWN))
    after = load(written(tmp_path, OWN.replace("dog bite", "cat bite")))
    assert before.names != after.names
    assert before.sha256 != after.sha256


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "a mapping with the keys name and labels is needed"),
        ("- a\n- b\n", "a mapping with the keys name and labels is needed"),
        ("name: mine\n", "labels: missing"),
        ("name: mine\nlabels: []\n", "labels: at least one label is needed"),
        ("name: mine\nlabels: Effusion\n", "labels: a list is needed, such as [Effusion]"),
        ("name: mine\nlabels: [Effusion]\n", "label 1: a mapping is needed, such as {name: Effusion}"),
        ("name: mine\nlabels: [{nam: x}]\n", "label 1: name: missing; label 1: nam: unknown; known are name, type"),
        ("name: mine\nlabels: [{name: x, prompts: a b}]\n", "label 'x': prompts: a list is needed, such as [a b]"),
        ("name: mine\nlabels: [{name: x, type: anatomy}]\n", "label 'x': type: a label's type is one of abnormality"),
        ("name: mine\nlabels: [{name: x}, {name: X}]\n", "label 'X': the name 'x' is taken by label 'x'"),
        ("name: m\nno_finding: none\nlabels: [{name: None}]\n", "the name 'none' is taken by no finding or remark"),
        (
            "name: m\nlabels: [{name: x, means: [pleural efusion]}]\n",
            "label 'x': means: there is no concept 'pleural efusion', did you mean 'pleural effusion'?",
        ),
        (
            "name: m\nlabels: [{name: x, means: [fracture], kind_of: [fracture]}]\n",
            "label 'x': means and kind_of exclude each other",
        ),
        ("name: m\ngroups: {few: [y]}\nlabels: [{name: x}]\n", "group 'few': there is no label 'y'"),
        ("name: m\nlabels: [{name: x, patterns: ['(a+)+$']}]\n", "regular expressions are for the tables that ship"),
        ("name: m\nlabels: [{name: x, prompts: ['<|user|>']}]\n", "is no plain text"),
        ('name: m\nlabels: [{name: "x\\e[31m"}]\n', "is no plain text"),
        ("name: m\nname: n\nlabels: [{name: x}]\n", "line 2: the key 'name' is given twice"),
        ("name: &a m\nlabels: [{name: *a}]\n", "line 1: anchors and aliases are not read"),
        ("name: !!python/object/apply:os.system [ls]\n", "line 1: tags are not read"),
        ("name: " + "[" * 50 + "]" * 50, "more than 8 levels"),
        ("name: [a\n", "line 2: "),
        ("? [a]\n: b\n", "line 1: a key must be a word"),
        (b"name: \xff\xfe", "byte 6 is no UTF-8"),
    ],
)
def test_a_mistake_in_a_file_is_told_with_its_place(tmp_path: Path, text: str | bytes, told: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(TableError) as raised:
        load(path)
    assert told in str(raised.value)
    assert str(raised.value).startswith(path)
    assert "\n" not in str(raised.value)


def test_many_mistakes_are_told_at_once_and_counted(tmp_path: Path) -> None:
    rows = ", ".join(f"{{name: l{number}, means: [nothing at all {number}]}}" for number in range(20))
    with pytest.raises(TableError) as raised:
        load(written(tmp_path, f"name: mine\nlabels: [{rows}]\n"))
    assert len(raised.value.problems) == 9
    assert raised.value.problems[-1] == "and 12 more mistakes"


def test_a_missing_file_and_a_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="No such file or directory"):
        load(str(tmp_path / "none.yaml"))
    (tmp_path / "folder.yaml").mkdir()
    with pytest.raises(TableError, match="it is a folder"):
        load(str(tmp_path / "folder.yaml"))


@given(st.text(max_size=200) | st.binary(max_size=200))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_file_is_a_set_or_told_in_one_line(tmp_path: Path, text: str | bytes) -> None:
    data = text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")
    try:
        found = load(written(tmp_path, data))
    except TableError as error:
        told = str(error)
    else:
        told = found.name
    assert told.startswith(str(tmp_path))


@pytest.mark.parametrize(
    ("text", "label_set", "label"),
    [
        ("Effusion", "phantom", "pleural effusion"), ("Pleural Effusion", "phantom", "pleural effusion"),
        ("Mass", "phantom", "lung mass"), ("pulmonary_edema", "phantom", "pulmonary edema"),
        ("No Finding", "phantom", None), ("Nodule or mass", "phantom", None), ("", "phantom", None),
        ("Pleural_Thickening", "phantom", None), ("pleural effusions", "nih-14", "Effusion"),
        ("lung mass", "nih-14", "Mass"), ("Nodule or mass", "nih-14", None), ("", "nih-14", None),
    ],
)  # fmt: skip
def test_a_text_is_a_name_of_a_label_as_a_whole_or_not_at_all(text: str, label_set: str, label: str | None) -> None:
    assert named_label(text, load(label_set)) == label


@pytest.mark.parametrize(
    ("concept", "present", "label"),
    [
        ("pleural effusion", True, "Pleural Effusion"), ("pleural effusion", False, "Pleural Effusion"),
        ("pneumonia", True, "Pneumonia"), ("cavity", True, "Lung Lesion"), ("cavity", False, None),
        ("scoliosis", True, None),
    ],
)  # fmt: skip
def test_a_concept_has_the_nearest_label_that_it_states_or_denies(
    concept: str, present: bool, label: str | None
) -> None:
    assert finder_of("chexpert-14").label_of(concept, present) == label
    assert finder_of("phantom").label_of("lung mass", present) == "lung mass"
