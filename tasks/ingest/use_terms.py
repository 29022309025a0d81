"""Terms of use and label set of each archive, by the layout that it is read with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class UseTerms:
    """Terms of an archive.

    Args:
        licence: an SPDX expression, a ``LicenseRef-…`` where the terms have no SPDX name, or ``unknown``.
        agreement: what whoever uses it has agreed to, in words, and the page to read it on; the page decides.
        credentialed: whether it may be shared only with those who signed the same agreement.
        label_set: name of the label set of its labels (`models.findings`); empty where it has its own.
    """

    licence: str
    agreement: str
    credentialed: bool = False
    label_set: str = ""


_PHYSIONET = (
    "PhysioNet Credentialed Health Data License and Data Use Agreement 1.5.0: for credentialed users who signed it, "
    "for scientific research alone, no attempt to identify anybody, no sharing of access with anyone else; PhysioNet "
    "counts online services that keep the data among these (https://physionet.org/news/post/llm-responsible-use). "
)
_NIH = "The films are those of NIH ChestX-ray14 (https://nihcc.app.box.com/v/ChestXray-NIHCC)."

TERMS: Mapping[str, UseTerms] = {
    "nih": UseTerms(
        "LicenseRef-NIH-ChestX-ray14",
        "Use is not restricted. Link to the NIH Clinical Center's download site "
        "(https://nihcc.app.box.com/v/ChestXray-NIHCC), cite Wang et al., ChestX-ray8, CVPR 2017, and credit the NIH "
        "Clinical Center as the provider of the data.",
        label_set="nih-14",
    ),
    "chexpert": UseTerms(
        "LicenseRef-Stanford-CheXpert",
        "Stanford University Dataset Research Use Agreement: personal, non-commercial research; no sharing with "
        "others, no attempt to identify patients (https://stanfordmlgroup.github.io/competitions/chexpert/; of "
        "CheXpert Plus https://aimi.stanford.edu/datasets/chexpert-plus). Cite Irvin et al., CheXpert, AAAI 2019.",
        credentialed=True,
        label_set="chexpert-14",
    ),
    "mimic": UseTerms(
        "LicenseRef-PhysioNet-Credentialed-1.5.0",
        f"{_PHYSIONET}Terms: https://physionet.org/content/mimic-cxr-jpg/, https://physionet.org/content/mimic-cxr/. "
        "Cite Johnson et al., MIMIC-CXR, Scientific Data 2019.",
        credentialed=True,
        label_set="chexpert-14",
    ),
    "openi": UseTerms(
        "CC-BY-NC-ND-4.0",
        "Creative Commons BY-NC-ND 4.0, as each report's file names it "
        "(https://creativecommons.org/licenses/by-nc-nd/4.0/): attribution, no commercial use, no sharing of changed "
        "copies. Source: https://openi.nlm.nih.gov/. Cite Demner-Fushman et al., JAMIA 2016.",
        label_set="openi",
    ),
    "padchest": UseTerms(
        "LicenseRef-BIMCV-PadChest",
        "PadChest Dataset Research Use Agreement of BIMCV: non-commercial research; no sharing with others, no "
        "attempt to identify patients (https://bimcv.cipf.es/bimcv-projects/padchest/). Cite Bustos et al., PadChest, "
        "Medical Image Analysis 2020.",
        credentialed=True,
        label_set="padchest",
    ),
    "vindr": UseTerms(
        "LicenseRef-PhysioNet-Credentialed-1.5.0",
        f"{_PHYSIONET}Terms: https://physionet.org/content/vindr-cxr/. A copy from Kaggle is under the rules of its "
        "competition (https://www.kaggle.com/competitions/vinbigdata-chest-xray-abnormalities-detection/rules). Cite "
        "Nguyen et al., VinDr-CXR, Scientific Data 2022.",
        credentialed=True,
        label_set="vindr",
    ),
    "rsna": UseTerms(
        "LicenseRef-RSNA-Pneumonia-2018",
        "Terms of use of the RSNA Pneumonia Detection Challenge 2018, with attribution "
        "(https://www.rsna.org/education/ai-resources-and-training/ai-image-challenge/"
        "rsna-pneumonia-detection-challenge-2018). A copy from Kaggle is under the rules of its competition "
        "(https://www.kaggle.com/competitions/rsna-pneumonia-detection-challenge/rules). Cite Shih et al., Radiology: "
        f"Artificial Intelligence 2019. {_NIH}",
        label_set="rsna",
    ),
    "siim": UseTerms(
        "LicenseRef-SIIM-ACR-Pneumothorax-2019",
        "Rules of the SIIM-ACR Pneumothorax Segmentation Challenge 2019 "
        f"(https://www.kaggle.com/competitions/siim-acr-pneumothorax-segmentation/rules). {_NIH}",
        label_set="siim",
    ),
    "covidx": UseTerms(
        "LicenseRef-COVIDx-Sources",
        "A collection of other archives, each under its own terms, which the list names by film: "
        "https://github.com/lindawangg/COVID-Net/blob/master/docs/COVIDx.md. Films of the source rsna are under the "
        "terms of the RSNA Pneumonia Detection Challenge, those of ricord under CC BY-NC 4.0 "
        "(https://doi.org/10.7937/91ah-v663). Cite Wang et al., COVID-Net, Scientific Reports 2020.",
        label_set="covidx",
    ),
    "covid_rural": UseTerms(
        "LicenseRef-TCIA-COVID-19-AR",
        "The films are those of COVID-19-AR, under CC BY 4.0 and TCIA's data usage policy "
        "(https://doi.org/10.7937/tcia.2020.py71-5978); for the masks their authors state no licence "
        "(https://github.com/haimingt/opacity_segmentation_covid_chest_X_ray). Cite Desai et al., Scientific Data "
        "2020, and Tang et al., https://doi.org/10.1101/2020.10.19.20215483.",
        label_set="covid-rural",
    ),
    "ms_cxr": UseTerms(
        "LicenseRef-PhysioNet-Credentialed-1.5.0",
        f"{_PHYSIONET}Terms: https://physionet.org/content/ms-cxr/, https://physionet.org/content/mimic-cxr-jpg/. "
        "Cite Boecking et al., MS-CXR, PhysioNet 2022, and Johnson et al., MIMIC-CXR, Scientific Data 2019.",
        credentialed=True,
        label_set="chexpert-14",
    ),
}
_OWN = UseTerms("unknown", "None is recorded: find out under which terms these films may be used before sharing them.")


def terms_of(layout: str) -> UseTerms:
    """The terms of an archive of a layout; of a plain folder nothing is known."""
    return TERMS.get(layout, _OWN)
