"""From a name to arrays."""

from normlib.datasets import sources, synthetic
from normlib.datasets.errors import DatasetError, MissingDatasetError
from normlib.datasets.imageset import ImageSet, checked
from normlib.datasets.info import INFO, SPLITS, Info, Split


def load(name: str, split: Split, *, download: bool = False) -> ImageSet:
    """Return one split of the data set ``name``, its content checked against `INFO`.

    Looked for in ``$NORMLIB_DATA``, ``data/local`` and the system's packages. ``download`` fetches
    a published set into ``data/local`` if none of them has it. Raises `MissingDatasetError` if
    there is none, `DatasetError` if what was found is not the data set.
    """
    if name not in INFO:
        raise DatasetError(f"no data set is called {name!r}; choose from {', '.join(INFO)}")
    if split not in SPLITS:
        raise DatasetError(f"no split is called {split!r}; choose from {', '.join(SPLITS)}")
    info = INFO[name]
    if info.kind == "synthetic":
        made = synthetic.make(name, split, info.shape, info.sizes[split], len(info.classes))
        return checked(info, split, *made, source="normlib.datasets.synthetic")
    source = sources.find(info, split)
    if source is None:
        raise missing(info, split)
    return checked(info, split, *source.read(), source=str(source.path))


def missing(info: Info, split: Split) -> MissingDatasetError:
    """Return the error that says where ``info`` was looked for and every way to get it."""
    looked = ", ".join(str(folder) for folder in sources.folders(info))
    return MissingDatasetError(
        f"{info.name} {split} not found in {looked}; to get it: {'; or '.join(info.ways)}"
    )
