"""The official archives, fetched by torchvision and checked before they get their name."""

import contextlib
import errno
import http.client
import shutil
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from normlib import paths
from normlib.datasets import search
from normlib.datasets.errors import DatasetError
from normlib.datasets.info import SPLITS, Info

_PREFIX = ".download-"
_ABANDONED = 3600.0  # seconds without a byte


@dataclass(frozen=True)
class Archive:
    """A file to fetch: its name, its published MD5, and where it is offered."""

    name: str
    md5: str
    urls: tuple[str, ...]


def archives(info: Info) -> list[Archive]:
    """Return the files of ``info``, as torchvision knows them."""
    # Imported here: it takes seconds, and only a download needs it.
    from torchvision import datasets

    if info.name == "cifar10":
        known = datasets.CIFAR10
        return [Archive(known.filename, known.tgz_md5, (known.url,))]
    known = {"mnist": datasets.MNIST, "fashion-mnist": datasets.FashionMNIST}[info.name]
    return [
        Archive(name, md5, tuple(f"{mirror}{name}" for mirror in known.mirrors))
        for name, md5 in known.resources
    ]


def retrieve(url: str, folder: Path, archive: Archive) -> None:
    """Fetch one file into ``folder``, with a progress bar on stderr."""
    from torchvision.datasets.utils import download_url

    download_url(url, str(folder), archive.name, archive.md5)


def fetch(info: Info) -> Path:
    """Download a published data set into ``data/local`` and return its folder.

    The files are fetched into a temporary folder, compared with their MD5, decoded, compared with
    the content hash, and only then moved to their place; a failed or interrupted download leaves
    nothing. Raises `DatasetError` if that fails.
    """
    if info.kind != "published":
        raise DatasetError(f"{info.name} is not downloaded; to get it: {'; or '.join(info.ways)}")
    target = paths.local() / info.folders[0]
    try:
        target.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(paths.local())
        with tempfile.TemporaryDirectory(prefix=_PREFIX, dir=paths.local()) as name:
            folder = Path(name)
            for archive in archives(info):
                _from_any_mirror(archive, folder)
            for split in SPLITS:
                if (source := search.find_in(folder, info, split)) is None:
                    raise DatasetError(f"{info.name} {split} is not in the downloaded files")
                source.load(info, split)
            for file in sorted(folder.iterdir()):
                file.replace(target / file.name)
    except OSError as error:
        raise DatasetError(f"{info.name} cannot be downloaded: {_reason(error)}") from error
    finally:
        # Only if empty: what was there before stays.
        with contextlib.suppress(OSError):
            target.rmdir()
    return target


def _from_any_mirror(archive: Archive, folder: Path) -> None:
    failures = []
    for url in archive.urls:
        try:
            return retrieve(url, folder, archive)
        except (OSError, RuntimeError, http.client.HTTPException) as error:
            if getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT):
                raise
            failures.append(f"{url}: {str(error).splitlines()[0] if str(error) else repr(error)}")
            # A mirror's half file must not be taken for the next one's.
            (folder / archive.name).unlink(missing_ok=True)
    raise DatasetError(
        f"{archive.name} cannot be downloaded ({'; '.join(failures)}); check the network and run "
        f"the same command again, or put the file into $NORMLIB_DATA by hand"
    )


def _reason(error: OSError) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"the disk of {paths.local()} is full; free some space and run the command again"
    return f"{error.strerror or error}; check that {paths.local()} can be written to"


def _remove_abandoned(folder: Path) -> None:
    """Remove what killed downloads left, but no folder that another process still fills."""
    for left in folder.glob(f"{_PREFIX}*"):
        newest = max((path.stat().st_mtime for path in (left, *left.rglob("*"))), default=0.0)
        if time.time() - newest > _ABANDONED:
            shutil.rmtree(left, ignore_errors=True)
