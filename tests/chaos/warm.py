"""Everything that a life or a training imports, so that a fork of a process that imported it begins at once."""

import importlib

for name in (
    "boto3.session",
    "cv2",
    "models.phantom.renderer",
    "models.gates.film.basics",
    "models.gates.text.report",
    "models.phantom.template",
    "models.phantom.film",
    "models.phantom.report",
    "webdataset",  # and with it torch
    "pandas",  # pyarrow imports it when it makes a table of rows
    "tests.chaos.life",
    "tests.chaos.training",
):
    importlib.import_module(name)
