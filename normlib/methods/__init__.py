"""The one table of methods: layers, models, tests and the book's tables are made from it."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from normlib.methods.batch import BATCH
from normlib.methods.frameworks import TORCH, TORCH_PARAMETRIZATIONS
from normlib.methods.method import CatalogueError, Method, Options, Transformation
from normlib.methods.others import DOMAIN, MIXTURE, NONE, POINTWISE, WHITENING
from normlib.methods.sample import SAMPLE
from normlib.methods.weight import TRAINING, WEIGHT
from normlib.records.choices import suggest

__all__ = ["Catalogue", "CatalogueError", "Method", "Options", "Transformation", "catalogue"]


class Catalogue(Mapping[str, Method]):
    """Methods by name; iterating gives normlib's own, ``torch:<name>`` the framework's."""

    def __init__(self, methods: tuple[Method, ...]) -> None:
        self._methods = {method.name: method for method in methods}

    def __getitem__(self, name: str) -> Method:
        framework, colon, own = name.rpartition(":")
        method = self._methods.get(own)
        if method is not None and not colon:
            return method
        if method is not None and framework == "torch" and own in TORCH:
            return replace(
                method, name=name, layer=TORCH[own], parametrize=TORCH_PARAMETRIZATIONS.get(own)
            )
        known = [*self._methods, *(f"torch:{peer}" for peer in TORCH)]
        raise CatalogueError(f"method {name!r:.60} is unknown; {suggest(name, known)}")

    def __iter__(self) -> Iterator[str]:
        return iter(self._methods)

    def __len__(self) -> int:
        return len(self._methods)


catalogue = Catalogue(
    NONE + BATCH + SAMPLE + WEIGHT + WHITENING + MIXTURE + DOMAIN + POINTWISE + TRAINING
)
