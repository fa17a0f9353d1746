"""From a name to arrays."""

from normlib.datasets import cache, search, synthetic
from normlib.datasets.download import fetch
from normlib.datasets.errors import DatasetError, MissingDatasetError
from normlib.datasets.imageset import ImageSet, checked
from normlib.datasets.info import INFO, SPLITS, Info, Split


def load(name: str, split: Split, *, download: bool = False) -> ImageSet:
    """Return one split of the data set ``name``, its content checked against `INFO`.

    Looked for in ``$NORMLIB_DATA``, ``data/local`` and the system's packages, unless it is already
    decoded in ``data/local/cache``. ``download`` fetches a published set into ``data/local`` if
    none of them has it. Raises `MissingDatasetError` if
    there is none, `DatasetError` if what was found is not the data set.
    """
    info = named(name)
    if split not in SPLITS:
        raise DatasetError(f"no split is called {split!r}; choose from {', '.join(SPLITS)}")
    if info.kind == "synthetic":
        made = synthetic.make(name, split, info.shape, info.sizes[split], len(info.classes))
        return checked(info, split, *made, synthetic.__name__)
    if info.kind == "published" and (kept := cache.recall(info, split)):
        return kept
    source = search.find(info, split)
    if source is None and download and info.kind == "published":
        source = search.find_in(fetch(info), info, split)
    if source is None:
        raise missing(info, split)
    found = source.load(info, split)
    return cache.keep(found, info) if info.kind == "published" else found


def named(name: str) -> Info:
    """Return the entry of `INFO`; raises `DatasetError` with the choices if there is none."""
    if name not in INFO:
        raise DatasetError(f"no data set is called {name!r:.60}; choose from {', '.join(INFO)}")
    return INFO[name]


def missing(info: Info, split: Split) -> MissingDatasetError:
    """Return the error that says where ``info`` was looked for and every way to get it."""
    looked = ", ".join(str(folder) for folder in search.folders(info))
    return MissingDatasetError(
        f"{info.name} {split} not found in {looked}; to get it: {'; or '.join(info.ways)}"
    )
