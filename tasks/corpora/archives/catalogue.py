"""Public test sets that can be ingested: what each holds, its splits, and where it is had."""

from __future__ import annotations

from dataclasses import dataclass

PHANTOM = "phantom"
"""`EvaluationDataset.layout` of the rendered archive, which needs no files."""


@dataclass(frozen=True, slots=True)
class EvaluationDataset:
    """A public dataset as its layout is read.

    Args:
        name: as it is published.
        layout: for `synth ingest LAYOUT:FOLDER`; `PHANTOM` for the rendered archive.
        holds: fields of `storage.records.PairRow` that at least some of its films fill, where every file of the
            release is in the folder; a DICOM file's header may add patient, study, view, sex and age, and texts that
            are made from labels do not count.
        splits: as its rows name them; empty where it has none, so that its patients are parted by a seed.
        where_to_get: address of the publisher's page; empty where nothing is downloaded.
        access: what is asked of whoever downloads it; the page decides.
        notes: what a reader of scores should know, such as which split is the official one.
    """

    name: str
    layout: str
    holds: frozenset[str]
    splits: tuple[str, ...]
    where_to_get: str
    access: str
    notes: str

    def lacks(self, *fields: str) -> tuple[str, ...]:
        """Those of `fields` that no film of it fills, in the order given."""
        return tuple(name for name in fields if name not in self.holds)


CATALOGUE: tuple[EvaluationDataset, ...] = (
    EvaluationDataset(
        "NIH ChestX-ray14", "nih",
        frozenset({"labels", "boxes", "patient", "study", "view", "sex", "age", "split"}),
        ("train", "test"), "https://nihcc.app.box.com/v/ChestXray-NIHCC", "open, with attribution",
        "split: train_val_list.txt and test_list.txt; boxes: BBox_List_2017.csv, 8 findings; radiologists' labels of "
        "some films stand above the mined ones where Google's tables are in the folder",
    ),
    EvaluationDataset(
        "CheXpert", "chexpert",
        frozenset({"labels", "findings", "impression", "patient", "study", "view", "sex", "age", "split"}),
        ("train", "valid", "test"), "https://stanfordmlgroup.github.io/competitions/chexpert/",
        "registration, research use agreement",
        "reports only in CheXpert Plus",
    ),
    EvaluationDataset(
        "MIMIC-CXR-JPG", "mimic",
        frozenset({"labels", "findings", "impression", "patient", "study", "view", "split"}),
        ("train", "validate", "test"), "https://physionet.org/content/mimic-cxr-jpg/",
        "credentialed, data use agreement",
        "split: mimic-cxr-2.0.0-split.csv.gz; reports are in MIMIC-CXR (https://physionet.org/content/mimic-cxr/)",
    ),
    EvaluationDataset(
        "OpenI (Indiana University)", "openi", frozenset({"labels", "findings", "impression", "study", "view"}),
        (),
        "https://openi.nlm.nih.gov/", "open, no commercial use, no changed copies",
        "no official split; labels are MeSH terms, which list what is there and never what is not",
    ),
    EvaluationDataset(
        "PadChest", "padchest",
        frozenset({"labels", "labeller", "patient", "study", "view", "sex", "age"}), (),
        "https://bimcv.cipf.es/bimcv-projects/padchest/", "registration, research use agreement",
        "no official split; evaluate on films whose labeller is Physician; the Spanish reports are not taken",
    ),
    EvaluationDataset(
        "VinDr-CXR", "vindr", frozenset({"labels", "boxes", "split"}), ("train", "test"),
        "https://physionet.org/content/vindr-cxr/", "credentialed, data use agreement",
        "train: three readers, present where any saw it; test: their consensus; the copy on Kaggle has no test labels",
    ),
    EvaluationDataset(
        "RSNA Pneumonia Detection 2018", "rsna",
        frozenset({"labels", "boxes", "patient", "view", "sex", "age", "split"}), ("train", "test"),
        "https://www.rsna.org/education/ai-resources-and-training/ai-image-challenge/"
        "rsna-pneumonia-detection-challenge-2018",
        "rules of the challenge",
        "labels of its own test films are hidden, and no division of the rest is official: part patients by a seed",
    ),
    EvaluationDataset(
        "SIIM-ACR Pneumothorax 2019", "siim", frozenset({"labels", "boxes", "masks", "split"}),
        ("train", "test"), "https://www.kaggle.com/competitions/siim-acr-pneumothorax-segmentation",
        "rules of the challenge",
        "labels of its own test films are hidden, and no division of the rest is official; boxes are drawn around the "
        "masks",
    ),
    EvaluationDataset(
        "COVIDx", "covidx", frozenset({"labels", "labeller", "patient", "split"}), ("train", "val", "test"),
        "https://www.kaggle.com/datasets/andyczhao/covidx-cxr2", "registration with Kaggle, terms of each source",
        "split: the lists; in the test lists of versions 8 and 9 all 200 negative films are of RSNA and all 200 "
        "positive ones of RICORD, so a score there may tell hospitals apart and no disease; labeller names the source",
    ),
    EvaluationDataset(
        "COVID-19 Rural (Arkansas)", "covid_rural",
        frozenset({"labels", "masks", "patient", "study", "sex", "age"}), (),
        "https://github.com/haimingt/opacity_segmentation_covid_chest_X_ray", "open, with attribution",
        "no official split: part patients by a seed, or lay train.csv, valid.csv and test.csv beside the films; all "
        "patients had a positive test",
    ),
    EvaluationDataset(
        "MS-CXR", "ms_cxr", frozenset({"labels", "boxes", "patient", "study", "view", "split"}),
        ("train", "val", "test"), "https://physionet.org/content/ms-cxr/",
        "credentialed, data use agreement",
        "its films are MIMIC-CXR-JPG's (https://physionet.org/content/mimic-cxr-jpg/), so its patients must not be "
        "trained on; splits only in version 1.1.0; labels are those of its boxes, and nothing is labelled absent",
    ),
    EvaluationDataset(
        "Phantom, hospital B", PHANTOM, frozenset({"labels", "boxes", "masks", "findings", "impression"}), (), "",
        "rendered here", "source phantom:b; no patient is real",
    ),
)  # fmt: skip
"""In the order of `registry.LAYOUTS`, then the phantom; every layout with tables is here (tests hold it)."""
