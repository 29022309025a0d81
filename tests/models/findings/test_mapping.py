"""Labels map by what they mean: sound in any film, stated for every label, and silent where nothing follows."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.findings.label_sets import LabelSet, UnknownLabels, load, names
from models.findings.mapping import Counterpart, Relation, counterparts, map_labels
from models.findings.ontology import concepts, kinds_of

PAIRS = list(itertools.product(names(), repeat=2))
SAME, NARROWER, BROADER = Relation.SAME, Relation.NARROWER, Relation.BROADER


def truth(label_set: LabelSet, there: frozenset[str], own: frozenset[str]) -> dict[str, int]:
    """The labels of a film that shows the concepts `there`, and of labels of its own those in `own`."""
    found = {}
    for label in label_set.labels:
        if label.means:
            shows = not there.isdisjoint(kinds_of(label.means))
        else:
            shows = label.name in own and all(not there.isdisjoint(kinds_of((kind,))) for kind in label.kind_of)
        found[label.name] = int(shows)
    if label_set.no_finding:
        shown = any(found[label.name] for label in label_set.labels if not label.device)
        found[label_set.no_finding] = int(not shown)
    return found


films = st.frozensets(st.sampled_from(sorted(concepts())), max_size=6)
owned = st.frozensets(st.sampled_from(sorted(label for name in names() for label in load(name).names)), max_size=6)


@given(st.sampled_from(PAIRS), films, owned)
@settings(max_examples=300, deadline=None)
def test_what_is_mapped_is_true_of_every_film(
    pair: tuple[str, str], shown: frozenset[str], own: frozenset[str]
) -> None:
    true = truth(load(pair[1]), shown, own)
    for name, value in map_labels(truth(load(pair[0]), shown, own), *pair).items():
        assert value == true[name], name


@given(st.sampled_from(names()), films, owned)
@settings(max_examples=200, deadline=None)
def test_a_set_maps_onto_itself(name: str, shown: frozenset[str], own: frozenset[str]) -> None:
    said = truth(load(name), shown, own)
    assert map_labels(said, name, name) == said


@given(st.sampled_from(PAIRS), st.data())
@settings(max_examples=200, deadline=None)
def test_an_uncertain_label_makes_nothing_certain(pair: tuple[str, str], data: st.DataObject) -> None:
    source = load(pair[0])
    marked = data.draw(st.sets(st.sampled_from(source.names), min_size=1))
    assert set(map_labels(dict.fromkeys(marked, -1), source, pair[1]).values()) <= {-1}


@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_every_label_has_counterparts_or_is_stated_to_have_none(source: str, target: str) -> None:
    forth, back = counterparts(source, target), counterparts(target, source)
    assert tuple(forth) == load(source).names
    mirrored = {SAME: SAME, NARROWER: BROADER, BROADER: NARROWER}
    for name, found in forth.items():
        for other in found:
            assert Counterpart(name, mirrored[other.relation]) in back[other.label]


def test_the_findings_of_nih_in_those_of_chexpert() -> None:
    found = counterparts("nih-14", "chexpert-14")
    same = {name: other.label for name, others in found.items() for other in others if other.relation is SAME}
    assert same == {
        "Atelectasis": "Atelectasis",
        "Cardiomegaly": "Cardiomegaly",
        "Consolidation": "Consolidation",
        "Edema": "Edema",
        "Effusion": "Pleural Effusion",
        "Pneumonia": "Pneumonia",
        "Pneumothorax": "Pneumothorax",
    }
    assert found["Nodule"] == (Counterpart("Lung Opacity", NARROWER), Counterpart("Lung Lesion", NARROWER))
    assert found["Hernia"] == found["Emphysema"] == ()


@pytest.mark.parametrize(
    ("source", "labels", "target", "mapped"),
    [
        ("nih-14", {"Effusion": 1}, "chexpert-14", {"Pleural Effusion": 1, "No Finding": 0}),
        ("nih-14", {"Effusion": 0, "Infiltrate": -1}, "chexpert-14", {"Lung Opacity": -1, "Pleural Effusion": 0}),
        ("nih-14", {"Consolidation": 0}, "phantom", {}),
        ("nih-14", {"Consolidation": 0, "Pneumonia": 0}, "phantom", {"consolidation": 0}),
        ("nih-14", {"Nodule": 0, "Mass": 0}, "vindr", {"Nodule/Mass": 0}),
        ("nih-14", {"Nodule": 1, "Mass": 0}, "vindr", {"Lung Opacity": 1, "Nodule/Mass": 1, "No finding": 0}),
        ("chexpert-14", {"Support Devices": 1}, "phantom", {}),
        ("chexpert-14", {"Support Devices": 0}, "phantom", dict.fromkeys(load("phantom").names[-3:], 0)),
        ("chexpert-14", {"Lung Opacity": 1}, "nih-14", {}),
        ("rsna", {"Lung Opacity": 1}, "chexpert-14", {"Lung Opacity": 1, "Pneumonia": 1, "No Finding": 0}),
        ("padchest", {"callus rib fracture": 1}, "vindr", {"Rib fracture": 1, "No finding": 0}),
        ("padchest", {"exclude": 1, "goiter": 1}, "nih-14", {}),
        ("nih-14", {"No Finding": 1}, "siim", {"Pneumothorax": 0}),
        ("nih-14", {"No Finding": 0}, "siim", {}),
        ("chexpert-14", {"No Finding": 1, "Support Devices": 1}, "rsna", {"Lung Opacity": 0, "No Finding": 1}),
        ("nih-14", {}, "phantom", {}),
    ],
)
def test_what_follows_follows_and_nothing_else(
    source: str, labels: dict[str, int], target: str, mapped: dict[str, int]
) -> None:
    assert map_labels(labels, source, target) == mapped


def test_a_broad_label_that_its_labeller_does_not_mean_so_denies_nothing() -> None:
    """VinDr's readers mark a nodule without marking an opacity: the 0 of the opacity says nothing of other kinds."""
    said = {"Lung Opacity": 0, "Nodule/Mass": 1}
    assert map_labels(said, "vindr", "nih-14") == {}
    assert map_labels({"Lung Opacity": 0}, "vindr", "nih-14")["Mass"] == 0


def test_unknown_labels_and_values_are_refused() -> None:
    with pytest.raises(UnknownLabels, match="nih-14 has no 'Cat', 'Dog'"):
        map_labels({"Cat": 1, "Dog": 0}, "nih-14", "phantom")
    with pytest.raises(ValueError, match="label 'Mass' is 2: a label is 1, 0 or -1"):
        map_labels({"Mass": 2}, "nih-14", "phantom")
