"""What is known of each data set before it is read: the one table the rest relies on."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

Split = Literal["train", "test"]
SPLITS: tuple[Split, ...] = ("train", "test")


@dataclass(frozen=True, kw_only=True)
class Info:
    """A data set's identity.

    ``shape`` is ``(C, H, W)``; ``sizes`` and ``sha256`` are by split (the hash is
    `normlib.datasets.content_hash`); ``mean`` and ``std`` are per channel, over all training pixels
    divided by 255, the standard deviation with divisor N. ``kind`` says whether the images are a
    published set, the bundled part of one, or made by a formula. ``folders`` are where sources keep
    it, ``ways`` how a person gets it.
    """

    name: str
    title: str
    kind: Literal["published", "sample", "synthetic"]
    shape: tuple[int, int, int]
    classes: tuple[str, ...]
    sizes: Mapping[Split, int]
    sha256: Mapping[Split, str]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    licence: str
    origin: str
    folders: tuple[str, ...] = ()
    ways: tuple[str, ...] = ()


def _by_split(train: str, test: str) -> Mapping[Split, str]:
    return MappingProxyType({"train": train, "test": test})


def _sizes(train: int, test: int) -> Mapping[Split, int]:
    return MappingProxyType({"train": train, "test": test})


_FASHION = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)
_DIGITS = tuple("0123456789")
_CIFAR10 = (
    "airplane",
    "automobile",
    "bird",
    "cat",
    "deer",
    "dog",
    "frog",
    "horse",
    "ship",
    "truck",
)

_TABLE = (
    Info(
        name="fashion-mnist",
        title="Fashion-MNIST",
        kind="published",
        shape=(1, 28, 28),
        classes=_FASHION,
        sizes=_sizes(60_000, 10_000),
        sha256=_by_split(
            "16d82e2b505296aa2b78bd5ea0992634f30419a4c97def7c907d154a35ac6157",
            "9f1ec356a747bfe4ebab3cfb722d3694c9ca737e2570f6f90cf31d7b6fd689d4",
        ),
        mean=(0.2860405969887955,),
        std=(0.3530242445149226,),
        licence="MIT, Zalando SE",
        origin="Xiao, Rasul and Vollgraf 2017, github.com/zalandoresearch/fashion-mnist",
        folders=("fashion-mnist", "FashionMNIST/raw"),
        ways=(
            "`normlib data get fashion-mnist` (30 MB)",
            "`apt-get install dataset-fashion-mnist` on Debian",
            "put the four *-ubyte.gz files or parquet shards into $NORMLIB_DATA/fashion-mnist",
        ),
    ),
    Info(
        name="mnist",
        title="MNIST",
        kind="published",
        shape=(1, 28, 28),
        classes=_DIGITS,
        sizes=_sizes(60_000, 10_000),
        sha256=_by_split(
            "edc0d1098aa497be14ace79ddd5171e5a3dcf9c4d196c015389203eb3ba1f59b",
            "c3f9adf9c66efb572b1f9326c3a511b45910c7173b97be66ceceeeeaef6b802b",
        ),
        mean=(0.13066047627384286,),
        std=(0.3081078038564627,),
        licence="none stated by its authors",
        origin="LeCun, Cortes and Burges 1998, yann.lecun.com/exdb/mnist",
        folders=("mnist", "MNIST/raw"),
        ways=(
            "`normlib data get mnist` (12 MB)",
            "put the four *-ubyte.gz files or parquet shards into $NORMLIB_DATA/mnist",
        ),
    ),
    Info(
        name="cifar10",
        title="CIFAR-10",
        kind="published",
        shape=(3, 32, 32),
        classes=_CIFAR10,
        sizes=_sizes(50_000, 10_000),
        sha256=_by_split(
            "1e91790dbaf241617ca1f29a9aba08eb9a62df84cc90676b47edd05ad2ab3c94",
            "9a4c74f5c8b6f2c4e13d3a1dfb43a5a8cda8a9da515e99fd620d2013a1a6287a",
        ),
        mean=(0.49139967861519607, 0.48215840839460783, 0.44653091444546567),
        std=(0.24703223246328201, 0.24348512800005553, 0.2615878417279645),
        licence="none stated by its authors",
        origin="Krizhevsky 2009, www.cs.toronto.edu/~kriz/cifar.html",
        folders=("cifar10", "."),
        ways=(
            "`normlib data get cifar10` (170 MB)",
            "put cifar-10-python.tar.gz, cifar-10-binary.tar.gz or parquet shards into "
            "$NORMLIB_DATA/cifar10",
        ),
    ),
    Info(
        name="fashion-mnist-sample",
        title="Sample of Fashion-MNIST",
        kind="sample",
        shape=(1, 28, 28),
        classes=_FASHION,
        sizes=_sizes(2_000, 1_000),
        sha256=_by_split(
            "9a5d87f9c50f359361c815bde3da8589bbf97da7d7b228e83608e6210e386e50",
            "c2022a139ef0eed1bc8167446e6891f484bc351231e9a69d15d113b0e73af60e",
        ),
        mean=(0.2891555247098839,),
        std=(0.35483536602890514,),
        licence="MIT, Zalando SE",
        origin="drawn from fashion-mnist, balanced, by `normlib.datasets.sample`",
        folders=("sample",),
        ways=(
            "`git checkout data/sample` in the project's checkout",
            "`python -m normlib.datasets.sample`, which needs fashion-mnist",
        ),
    ),
    Info(
        name="synthetic-gray",
        title="Synthetic, gray",
        kind="synthetic",
        shape=(1, 28, 28),
        classes=_DIGITS,
        sizes=_sizes(512, 256),
        sha256=_by_split(
            "01707f51b4cef91f67d0917a65aefe8458d56307358126a09211fecc655a2905",
            "b01c81fc072fcaed1a1998b5f394eac612df52cb699fb46a318061b3ed44a103",
        ),
        mean=(0.4988804408482143,),
        std=(0.18836157344526963,),
        licence="MIT, as the code",
        origin="made by `normlib.datasets.synthetic`",
    ),
    Info(
        name="synthetic-color",
        title="Synthetic, color",
        kind="synthetic",
        shape=(3, 32, 32),
        classes=_DIGITS,
        sizes=_sizes(512, 256),
        sha256=_by_split(
            "ee4b17d9433580a35942fe1f82e4193b3132d519068a828426f5f53cb35f668d",
            "74dc3372ca90986ca41e8e96abae2cd449031d7c959c886b5d974342cc849021",
        ),
        mean=(0.49998053756414673, 0.49871688543581494, 0.5069172129911534),
        std=(0.1898342452328361, 0.18898304242065708, 0.1865292592548473),
        licence="MIT, as the code",
        origin="made by `normlib.datasets.synthetic`",
    ),
)

INFO: Mapping[str, Info] = MappingProxyType({info.name: info for info in _TABLE})
