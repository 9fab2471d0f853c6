"""Fetching Pascal VOC: torchvision knows the addresses and checksums, checks the archives and unpacks them."""

import http
import http.client
import urllib.error
import urllib.request
from pathlib import Path

from torchvision.datasets import voc as torchvision_voc
from torchvision.datasets.utils import check_integrity
from tqdm import tqdm

from indexer import downloads
from indexer.errors import DownloadError

DATASETS = {"voc2007": (("2007", "trainval"), ("2007", "test")), "voc2012": (("2012", "trainval"),)}

_CHUNK = 1 << 20  # bytes


def fetch(name: str, into: Path) -> Path:
    """Download, check and unpack one of `DATASETS`; what an interrupted run left is taken up.

    Returns:
        The devkit's root, such as `into`/VOCdevkit/VOC2012.

    Raises:
        DownloadError: the host cannot be reached, breaks off, or sends an archive of another checksum.
    """
    into.mkdir(parents=True, exist_ok=True)
    for year, image_set in DATASETS[name]:
        archive = torchvision_voc.DATASET_YEAR_DICT["2007-test" if image_set == "test" else year]
        path = into / archive["filename"]
        if not check_integrity(path, archive["md5"]):
            _complete(archive["url"], path)
            _check(path, archive["md5"])
        _unpack(year, image_set, into, path)
    return into / str(archive["base_dir"])


def _unpack(year: str, image_set: str, into: Path, archive: Path) -> None:
    try:
        torchvision_voc.VOCDetection(into, year=year, image_set=image_set, download=True)
    except (RuntimeError, OSError, EOFError) as error:
        raise DownloadError(
            f"{archive} cannot be unpacked ({error}); make room, or delete it and fetch again"
        ) from error


def _complete(url: str, path: Path) -> None:
    """Fetch the bytes of `url` that `path` does not hold yet."""
    downloads.check_reachable(url)
    held = path.stat().st_size if path.exists() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={held}-"} if held else {})  # noqa: S310 - torchvision's
    try:
        with urllib.request.urlopen(request, timeout=downloads.TIMEOUT) as response:  # noqa: S310 - torchvision's
            _append(response, path, held if response.status == http.HTTPStatus.PARTIAL_CONTENT else 0)
    except urllib.error.HTTPError as error:
        if error.code != http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:  # which says that all of it is here
            raise DownloadError(f"expected {url}, found {error}; try again later") from error
    except (OSError, http.client.HTTPException) as error:
        raise DownloadError(f"the download of {url} broke off ({error}); run the same command to go on") from error


def _check(path: Path, md5: str) -> None:
    """Going on with an archive of another checksum leads nowhere: it is deleted."""
    if not check_integrity(path, md5):
        path.unlink()
        raise DownloadError(
            f"expected an archive of MD5 {md5}, found another in {path} and deleted it; run the same command again"
        )


def _append(response: http.client.HTTPResponse, path: Path, held: int) -> None:
    total = held + (response.length or 0)
    with (
        path.open("ab" if held else "wb") as file,
        tqdm(total=total, initial=held, unit="B", unit_scale=True, desc=path.name, disable=None) as progress,
    ):
        while chunk := response.read(_CHUNK):
            file.write(chunk)
            progress.update(len(chunk))
    if path.stat().st_size != total:
        raise OSError(f"{path.stat().st_size:,} of {total:,} bytes came")
