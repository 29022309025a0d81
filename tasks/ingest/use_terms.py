"""Terms of use and label set of each archive, by the layout that it is read with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class UseTerms:
    """Terms of an archive.

    Args:
        licence: an SPDX expression, a ``LicenseRef-…`` where the terms have no SPDX name, or ``unknown``.
        agreement: what whoever uses it has agreed to, in words.
        credentialed: whether it may be shared only with those who signed the same agreement.
        label_set: name of the label set of its labels (`models.findings`); empty where it has its own.
    """

    licence: str
    agreement: str
    credentialed: bool = False
    label_set: str = ""


_PHYSIONET = (
    "PhysioNet Credentialed Health Data Use Agreement 1.5.0: for credentialed users who signed it, for research "
    "alone, no attempt to identify patients, no sharing with others, no sending to services that keep the data."
)
_KAGGLE = "Rules of the challenge on Kaggle: non-commercial research and education, with attribution, "

TERMS: Mapping[str, UseTerms] = {
    "nih": UseTerms(
        "LicenseRef-NIH-ChestX-ray14",
        "Free to use. Link to the NIH Clinical Center's download site (https://nihcc.app.box.com/v/ChestXray-NIHCC), "
        "cite Wang et al., ChestX-ray8, CVPR 2017, and credit the NIH Clinical Center as the provider of the data.",
        label_set="nih-14",
    ),
    "chexpert": UseTerms(
        "LicenseRef-Stanford-CheXpert",
        "Stanford University Dataset Research Use Agreement: personal, non-commercial research; no sharing with "
        "others, no attempt to identify patients. Cite Irvin et al., CheXpert, AAAI 2019.",
        credentialed=True,
        label_set="chexpert-14",
    ),
    "mimic": UseTerms(
        "LicenseRef-PhysioNet-Credentialed-1.5.0",
        f"{_PHYSIONET} Cite Johnson et al., MIMIC-CXR-JPG, PhysioNet 2019.",
        credentialed=True,
        label_set="chexpert-14",
    ),
    "openi": UseTerms(
        "CC-BY-NC-ND-4.0",
        "Creative Commons BY-NC-ND 4.0: attribution, no commercial use, no sharing of changed copies. Cite "
        "Demner-Fushman et al., JAMIA 2016.",
    ),
    "padchest": UseTerms(
        "LicenseRef-BIMCV-PadChest",
        "PadChest Dataset Research Use Agreement of BIMCV: non-commercial research; no sharing with others, no "
        "attempt to identify patients. Cite Bustos et al., PadChest, Medical Image Analysis 2020.",
        credentialed=True,
        label_set="padchest",
    ),
    "vindr": UseTerms(
        "LicenseRef-PhysioNet-Credentialed-1.5.0",
        f"{_PHYSIONET} Cite Nguyen et al., VinDr-CXR, Scientific Data 2022.",
        credentialed=True,
        label_set="vindr",
    ),
    "rsna": UseTerms(
        "LicenseRef-RSNA-Pneumonia-2018",
        f"{_KAGGLE}of the RSNA Pneumonia Detection Challenge 2018. Cite Shih et al., Radiology: AI 2019; the films "
        "are those of the NIH Clinical Center.",
        label_set="rsna",
    ),
    "siim": UseTerms(
        "LicenseRef-SIIM-ACR-Pneumothorax-2019",
        f"{_KAGGLE}of the SIIM-ACR Pneumothorax Segmentation Challenge 2019; the films are those of the NIH Clinical "
        "Center.",
        label_set="siim",
    ),
}
_OWN = UseTerms("unknown", "None is recorded: find out under which terms these films may be used before sharing them.")


def terms_of(layout: str) -> UseTerms:
    """The terms of an archive of a layout; of a plain folder nothing is known."""
    return TERMS.get(layout, _OWN)
