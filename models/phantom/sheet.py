"""Contact sheets: many films with a caption each, on one picture."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont


def contact_sheet(
    images: Sequence[np.ndarray], captions: Sequence[str], columns: int = 6, scale: float = 1.5, lines: int = 2
) -> Image.Image:
    """A sheet of films.

    Args:
        images: each (H, W) uint8, all of one shape.
        captions: one per film, cut to `lines` lines.
        columns: films in a row.
        scale: enlargement.
        lines: lines of caption.
    """
    size = round(images[0].shape[0] * scale)
    font = ImageFont.load_default(10)
    text, gap = 12 * lines + 4, 6
    rows = -(-len(images) // columns)
    sheet = Image.new("L", (columns * (size + gap) + gap, rows * (size + text + gap) + gap), 255)
    draw = ImageDraw.Draw(sheet)
    for at, (image, caption) in enumerate(zip(images, captions, strict=True)):
        x, y = gap + at % columns * (size + gap), gap + at // columns * (size + text + gap)
        sheet.paste(Image.fromarray(image).resize((size, size), Image.Resampling.BICUBIC), (x, y))
        for number, line in enumerate(textwrap.wrap(caption, size // 5)[:lines]):
            draw.text((x, y + size + 1 + 12 * number), line, fill=40, font=font)
    return sheet
