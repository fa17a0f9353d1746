"""Experiments that cannot be: refused on construction, and reported inside a record."""

import json
import math

import pytest

from normlib.records import Experiment, ExperimentError, Store
from normlib.records.choices import ALL_NORMS
from tests.faults.table import Case, named, owed, refused, run_command
from tests.sweep.fake import record

RESNET = {"model": "resnet18", "dataset": "cifar10", "initialization": "torchvision"}
# name, fields, culprit, remedy
FIELDS = [
    ("norm misspelt", {"norm": "bach"}, "norm='bach'", "did you mean batch"),
    ("norm of no peer", {"norm": "jax:batch"}, "norm='jax:batch'", "did you mean"),
    (
        "norm that tensorflow lacks",
        {"norm": "tensorflow:weight"},
        "tensorflow:weight",
        "choose one",
    ),
    ("norm is null", {"norm": None}, "norm=None", "choose one of"),
    ("norm is a list", {"norm": ["batch"]}, "norm=['batch']", "choose one of"),
    (
        "data set unknown",
        {"dataset": "fashion_mnist"},
        "fashion_mnist",
        "did you mean fashion-mnist",
    ),
    ("data set with a path", {"dataset": "../../etc"}, "../../etc", "choose one of"),
    ("field unknown", {"learningrate": 0.1}, "learningrate", "did you mean learning_rate"),
    ("seed negative", {"seed": -1}, "seed=-1", "at least 0"),
    ("seed a bool", {"seed": True}, "seed=True", "an integer"),
    ("seed a float", {"seed": 1.0}, "seed=1.0", "an integer"),
    ("seed a text", {"seed": "1; import os"}, "seed='1; import os'", "an integer"),
    ("seed huge", {"seed": 2**53 + 1}, f"seed={2**53 + 1}", "at most"),
    ("epochs zero", {"epochs": 0}, "epochs=0", "at least 1"),
    ("learning rate NaN", {"learning_rate": math.nan}, "learning_rate=nan", "finite"),
    ("learning rate infinite", {"learning_rate": math.inf}, "learning_rate=inf", "finite"),
    ("learning rate zero", {"learning_rate": 0}, "learning_rate=0", "above 0"),
    ("learning rate a bool", {"learning_rate": True}, "learning_rate=True", "finite number"),
    ("learning rate a text", {"learning_rate": "0.1"}, "learning_rate='0.1'", "finite number"),
    ("momentum one", {"momentum": 1.0}, "momentum=1.0", "below 1"),
    ("weight decay negative", {"weight_decay": -0.1}, "weight_decay=-0.1", "at least 0"),
    ("batch size zero", {"batch_size": 0}, "batch_size=0", "at least 1"),
    ("batch over the data", {"train_size": 10}, "batch_size=100", "smaller batch"),
    ("width zero", {"width": 0}, "width=0", "at least 1"),
    ("precision unknown", {"precision": "float3"}, "float3", "did you mean float32"),
    ("model unknown", {"model": "transformer"}, "transformer", "choose one of"),
    ("eps of none", {"norm": "none", "norm_eps": 1e-3}, "norm_eps=0.001", "leave it out"),
    ("eps zero", {"norm": "batch", "norm_eps": 0}, "norm_eps=0", "above 0"),
    ("groups of batch", {"norm": "batch", "norm_groups": 4}, "norm_groups=4", "leave it out"),
    ("groups that do not divide", {"norm": "group", "norm_groups": 5}, "norm_groups=5", "divisor"),
    ("momentum of Adam", {"optimizer": "adam", "momentum": 0.5}, "momentum=0.5", "leave it out"),
    ("Fixup of a CNN", {"initialization": "fixup"}, "initialization='fixup'", "choose glorot"),
    ("two layers' width", {"model": "mlp", "width": 8}, "width=8", "leave it out"),
    ("two layers, one position", {"model": "mlp", "norm": "instance"}, "instance", "another norm"),
    (
        "groups that do not divide two layers' units",
        {"model": "mlp", "hidden": 10, "norm": "group", "norm_groups": 4},
        "hidden=10",
        "divisor",
    ),
    ("VGG in another framework", {"model": "vgg", "norm": "tensorflow:none"}, "vgg", "torch's"),
    ("PyTorch's start of the CNN", {"initialization": "torch"}, "initialization", "glorot"),
    ("ResNet of gray images", {"model": "resnet18"}, "dataset='fashion-mnist'", "cifar10"),
    (
        "ResNet by Glorot",
        {"model": "resnet18", "dataset": "cifar10", "initialization": "glorot"},
        "initialization='glorot'",
        "choose torchvision or fixup",
    ),
    ("ResNet's width", RESNET | {"width": 64}, "width=64", "leave it out"),
    ("ResNet's hidden units", RESNET | {"hidden": 64}, "hidden=64", "leave it out"),
    (
        "ResNet in another framework",
        RESNET | {"norm": "tensorflow:batch"},
        "norm='tensorflow:batch'",
        "choose model='cnn', or one of normlib's",
    ),
    (
        "groups that do not divide a ResNet's channels",
        RESNET | {"norm": "group", "norm_groups": 48},
        "norm_groups=48",
        "divisor",
    ),
    (
        "ResNet with one position",
        RESNET | {"norm": "torch:instance"},
        "norm='torch:instance'",
        "choose another norm",
    ),
    (
        "Fixup beside a norm",
        RESNET | {"initialization": "fixup", "norm": "batch"},
        "norm='batch'",
        "choose norm='none'",
    ),
    (
        "a start from data without a scale",
        RESNET | {"initialization": "data", "norm": "none"},
        "norm='none'",
        "choose norm='affine'",
    ),
    ("ResNet misspelt", {"model": "resnet51"}, "model='resnet51'", "did you mean resnet"),
    ("last batch padded", {"last_batch": "pad"}, "last_batch='pad'", "choose one of"),
]
CASES = [
    Case(name, lambda folder, fields=fields: Experiment.from_dict(fields), culprit, remedy)
    for name, fields, culprit, remedy in FIELDS
]
MANY = {
    "input_scaling": "standard",
    "model": "vgg",
    "norm": "scaled-weight-standardization",
    "initialization": "torch",
    "learning_rate": 0.00030000000000000003,
    "weight_decay": 0.0001,
    "last_batch": "drop",
    "train_size": 40_000,
    "validation_size": 5_000,
}
CASES += [
    Case(
        "so many fields that no file could be named",
        lambda folder: Experiment(**MANY),
        "name scaled-weight-standardization-inputscalingstandard",
        "leave more fields",
    ),
    Case(
        "learning rate of 400 digits",
        lambda folder: Experiment(learning_rate=10**400),
        "learning_rate=1000",
        "finite number",
    ),
]
IN_JSON = [
    row for row in FIELDS if all(value == value and value != math.inf for value in row[1].values())
]


@named(CASES)
def test_is_refused(case, tmp_path):
    assert isinstance(refused(case, tmp_path), ExperimentError)


@pytest.mark.parametrize(
    ("fields", "culprit", "remedy"), [row[1:] for row in IN_JSON], ids=[row[0] for row in IN_JSON]
)
def test_in_a_record_is_reported_by_file(fields, culprit, remedy, project):
    store = Store.default()
    kept = store.save(record(Experiment(epochs=1)))
    plain = record(Experiment(norm="batch", epochs=1)).to_dict()
    plain["experiment"] |= fields
    bad = kept.with_name("edited-0123456789abcdef.json")
    bad.write_text(json.dumps(plain))
    outcome = run_command("records", "check")
    assert outcome.code == 1
    assert len(outcome.errors) == 1
    owed(outcome.errors[0], culprit, remedy)
    assert bad.name in outcome.errors[0]
    assert [one.experiment.norm for one in store.scan()[0]] == ["none"]


def test_from_dict_wants_an_object():
    with pytest.raises(ExperimentError, match="object of fields"):
        Experiment.from_dict([("seed", 1)])


def test_every_norm_is_accepted():
    for norm in ALL_NORMS:
        assert Experiment(norm=norm).norm == norm
