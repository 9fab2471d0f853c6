"""The drawn devkit: same seed, same bytes; boxes and flags that tell the truth."""

from pathlib import Path

import pytest

from indexer import images, sample, voc
from indexer.errors import DatasetError
from indexer.sample_glyphs import GLYPHS


def bytes_of(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


def test_the_same_seed_draws_the_same_bytes_and_another_seed_others(tmp_path: Path) -> None:
    first, again, other = (
        bytes_of(sample.draw_devkit(tmp_path / name / "VOCdevkit", images=6, seed=seed))
        for name, seed in (("first", 1), ("again", 1), ("other", 2))
    )

    assert first == again
    assert first["JPEGImages/000000.jpg"] != other["JPEGImages/000000.jpg"]


def test_every_class_has_several_glyphs_and_appears_in_both_splits(tmp_path: Path) -> None:
    assert set(GLYPHS) == set(voc.CLASS_NAMES)
    assert min(map(len, GLYPHS.values())) >= 2

    root = sample.draw_devkit(tmp_path / "VOCdevkit", images=60, seed=0)

    for split in ("train", "val"):
        read = voc.read_split(root, split)
        assert {name for image in read.images for name in image.class_names} == set(voc.CLASS_NAMES)


def test_boxes_lie_inside_their_pictures_with_one_to_three_objects_each(devkit: Path) -> None:
    for image in voc.read_split(devkit).images:
        picture = images.load(voc.picture_path(devkit, image.filename))
        assert 1 <= len(image.objects) <= 3
        for label in image.objects:
            assert label.box.clipped(picture.width, picture.height) == label.box


def test_what_counts_as_truncated_lies_at_the_edge(devkit: Path) -> None:
    flags = []
    for image in voc.read_split(devkit).images:
        picture = images.load(voc.picture_path(devkit, image.filename))
        for label in image.objects:
            xmin, ymin, xmax, ymax = label.box.corners
            at_edge = min(xmin, ymin, picture.width - xmax, picture.height - ymax) < 0.05 * picture.width
            assert at_edge or not label.truncated
            flags.append(label.truncated)

    assert True in flags
    assert False in flags


def test_whom_the_glyphs_are_owed_to_lies_beside_the_pictures(devkit: Path) -> None:
    assert "OpenMoji" in (devkit / "CREDITS.txt").read_text()
    assert "CC BY-SA 4.0" in (devkit / "CREDITS.txt").read_text()


def test_a_devkit_is_not_drawn_over(own_devkit: Path) -> None:
    with pytest.raises(DatasetError, match="expected a folder without a devkit"):
        sample.draw_devkit(own_devkit, images=3, seed=0)
