"""A few picture files -> what is in them, printed and drawn."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from indexer import images
from indexer.collection import Collection
from indexer.embedder import Embedder
from indexer.errors import ImageError
from indexer.images import Picture
from localizer import drawing
from localizer.drawing import PREDICTED, Mark
from localizer.predict import Localizer
from localizer.records import Localization


@dataclass(frozen=True, slots=True)
class Seen:
    """One picture file, what is in it, and the file with that drawn on it."""

    path: Path
    localization: Localization
    drawn: Path

    def row(self) -> tuple[str, ...]:
        """File, class, probability, expected IoU, box and drawn file of the best object, as text."""
        best = next(iter(self.localization.told()), None)
        if best is None:
            return (str(self.path), "-", "-", "-", "-", str(self.drawn))
        corners = " ".join(f"{corner:.0f}" for corner in best.box.corners)
        told = (best.class_name, f"{best.probability:.2f}", f"{best.predicted_iou:.2f}", corners)
        return (str(self.path), *told, str(self.drawn))


def look_at(
    paths: Sequence[Path], collection: Collection, embedder: Embedder, out: Path
) -> tuple[list[Seen], list[tuple[Path, str]]]:
    """Tell what is in each picture file and draw it into a folder; and which cannot be read, and why.

    Raises:
        HeadError: there is no head, or it does not fit.
    """
    localizer = Localizer.open(collection)
    out.mkdir(parents=True, exist_ok=True)
    seen: list[Seen] = []
    refused: list[tuple[Path, str]] = []
    for path in paths:
        picture = _read(path)
        if isinstance(picture, str):
            refused.append((path, picture))
            continue
        embedding = embedder.embed(
            [embedder.pixels(picture)], collection.reduction, keep_maps=localizer.needs_maps
        )
        [localization] = localizer.localize(embedding, [(picture.width, picture.height)])
        drawn = _free_name(out, path.stem, [one.drawn for one in seen])
        drawing.save(drawing.draw(picture.pixels, _marks(localization)), drawn)
        seen.append(Seen(path, localization, drawn))
    return seen, refused


def _read(path: Path) -> Picture | str:
    """The picture, or why there is none."""
    try:
        return images.decode(path.read_bytes())
    except ImageError as error:
        return str(error)
    except OSError as error:
        return f"the file cannot be read ({error.strerror})"


def _free_name(folder: Path, stem: str, taken: Sequence[Path]) -> Path:
    """A JPEG's; numbered where another of that name was drawn before."""
    numbers = ("", *(f"-{number}" for number in range(2, len(taken) + 2)))
    return next(path for number in numbers if (path := folder / f"{stem}{number}.jpg") not in taken)


def _marks(localization: Localization) -> list[Mark]:
    """The best one last, so that it lies on top."""
    told = reversed(localization.told())
    return [Mark(one.box, f"{one.class_name} {one.probability:.0%}", PREDICTED) for one in told]
