"""Boxes that are published as COCO's JSON, as rows of a table."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from storage.documents import first_problem
from tasks.corpora.archives.errors import ArchiveError
from tasks.corpora.archives.tables import Row
from tasks.text_files import TextError, read_text

MOST = 1 << 28  # characters of a file
Key = int | str


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)


class _Image(_Part):
    id: Key
    file_name: str = ""
    path: str = ""
    width: float | None = None
    height: float | None = None


class _Category(_Part):
    id: Key
    name: str


class _Annotation(_Part):
    image_id: Key
    category_id: Key
    bbox: list[float]
    label_text: str = ""
    split: str = ""


class _Document(_Part):
    images: list[_Image]
    categories: list[_Category]
    annotations: list[_Annotation]


def read_coco(path: Path) -> Iterator[Row]:
    """A row for each annotation, with the columns dicom_id (the name of the image's file without its ending), path,
    image_width, image_height, category_name, label_text, split, x, y, w and h; its line is the annotation's number.

    Raises:
        ArchiveError: damaged, no COCO, or an annotation names an image or a category that the file does not list.
    """
    try:
        found = _Document.model_validate_json(read_text(path, most=MOST))
    except TextError as error:
        raise ArchiveError(str(error)) from error
    except ValidationError as error:
        raise ArchiveError(f"{path} is no COCO file: {first_problem(error)}") from error
    images = {image.id: image for image in found.images}
    categories = {category.id: category.name for category in found.categories}
    for number, each in enumerate(found.annotations, 1):
        image, category = images.get(each.image_id), categories.get(each.category_id)
        if image is None or category is None:
            what = f"image {each.image_id}" if image is None else f"category {each.category_id}"
            raise ArchiveError(f"{path}, annotation {number}: the file lists no {what}")
        yield Row(_cells(image, category, each), path, number)


def _cells(image: _Image, category: str, each: _Annotation) -> Iterator[tuple[str, str]]:
    name = (image.file_name or image.path).replace("\\", "/").rpartition("/")[2]
    yield from (("dicom_id", name.partition(".")[0]), ("path", image.path or image.file_name))
    yield from (("image_width", _number(image.width)), ("image_height", _number(image.height)))
    yield from (("category_name", category), ("label_text", each.label_text.strip()), ("split", each.split))
    yield from zip("xywh", map(_number, each.bbox), strict=False)


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.12g}"
