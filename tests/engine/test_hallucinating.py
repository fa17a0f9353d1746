"""Hallucinations: the network is sure of them, they are its own, and it does not notice."""

import random

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from normlib.datasets import load
from normlib.engine.probes import hallucinating, pictures
from normlib.engine.probes.hallucinating import (
    CONFIDENT,
    JITTER,
    LEVEL,
    RATE,
    REGULARIZATIONS,
    SMOOTHNESS,
    STEPS,
    HallucinationError,
    hallucinate,
)
from normlib.errors import NormlibError
from normlib.models import CNN, build
from normlib.records import Experiment
from normlib.records.choices import NORMS

SHAPES = {"synthetic-color": (3, 32, 32), "synthetic-gray": (1, 28, 28)}
COLOR = SHAPES["synthetic-color"]


def trained(norm, dataset="synthetic-color"):
    """Return a small network, in training mode, that tells most test images' classes."""
    data, test = load(dataset, "train"), load(dataset, "test")
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        model = CNN(SHAPES[dataset], 10, width=4, hidden=16, norm=norm)
        adam = torch.optim.Adam(model.parameters(), lr=0.005)
        x, y = torch.tensor(data.images) / 255, torch.tensor(data.labels).long()
        for _ in range(5):
            for batch in torch.randperm(len(x)).split(32):
                adam.zero_grad()
                F.cross_entropy(model(x[batch]), y[batch]).backward()
                adam.step()
        right = model.eval()(torch.tensor(test.images) / 255).argmax(1).numpy() == test.labels
    assert right.mean() > 0.5
    return model.train()


@pytest.fixture(scope="module")
def networks():
    return {norm: trained(norm) for norm in ("none", "batch")}


@pytest.fixture(scope="module")
def made(networks):
    """Hallucinations of all classes by network and regularization, two starts of each."""
    return {
        (norm, kind): hallucinate(model, range(10), COLOR, seed=5, starts=2, regularization=kind)
        for norm, model in networks.items()
        for kind in REGULARIZATIONS
    }


EACH = pytest.mark.parametrize(
    ("norm", "kind"), [(norm, kind) for norm in ("none", "batch") for kind in REGULARIZATIONS]
)


class Tiny(nn.Module):
    """A network without anything that would make a plain-Python reference slow."""

    def __init__(self, scale=1.0):
        super().__init__()
        weight = np.random.default_rng(0).normal(size=(3, 2 * 6 * 5)) * scale
        self.weight = nn.Parameter(torch.tensor(weight, dtype=torch.float32))

    def forward(self, x):
        return torch.tanh(x.flatten(1) * 3 - 1.5) @ self.weight.T


TINY = (2, 6, 5)


def start(seed, one, number, shape, steps=1):
    return hallucinating._drawn(seed, one, number, shape, steps)


def as_bytes(x):
    return (x * 255).round().byte().numpy()


def one_by_one(model, one, number, kind, steps):
    """Return an image made alone, by the docstring's formulas and autograd."""
    x, shifts = start(3, one, number, TINY, steps)
    adam = torch.optim.Adam([x.requires_grad_()], lr=RATE)
    for step in range(steps):
        smooth = kind == "smooth"
        rolled = x.roll(tuple(shifts[step].tolist()), (1, 2)) if smooth else x
        p = model(rolled[None]).double().softmax(1)[0, one]
        (g,) = torch.autograd.grad(torch.log(p / (1 - p)), x)
        ascent = g / g.square().mean().sqrt()
        if smooth:
            variation = sum(
                torch.sqrt(
                    (x[c, i, min(j + 1, 4)] - x[c, i, j]) ** 2
                    + (x[c, min(i + 1, 5), j] - x[c, i, j]) ** 2
                    + LEVEL**2
                )
                for c, i, j in np.ndindex(TINY)
            )
            ascent = ascent - SMOOTHNESS * torch.autograd.grad(variation, x)[0]
        adam.param_groups[0]["lr"] = RATE * (steps - step) / steps
        x.grad = -ascent
        adam.step()
        with torch.no_grad():
            x.clamp_(0, 1)
    return as_bytes(x.detach())


@EACH
def test_the_network_is_sure_of_every_class(made, networks, norm, kind):
    found = made[norm, kind]
    assert found.images.shape == (10, 2, *COLOR)
    assert found.images.dtype == np.uint8
    assert found.confidence.dtype == np.float32
    assert found.reached.dtype == np.int64
    assert (found.confidence >= CONFIDENT).all()
    assert (found.reached > 0).all()
    assert (found.reached < STEPS // 2).all(), "most steps go on past it"


@EACH
def test_the_confidence_is_that_of_the_images_returned(made, networks, norm, kind):
    found = made[norm, kind]
    model = networks[norm].eval()
    with torch.no_grad():
        logits = model(torch.tensor(found.images.reshape(-1, *COLOR)) / 255)
    model.train()
    p = logits.softmax(1).numpy().reshape(10, 2, 10)
    assert (p.argmax(-1) == np.arange(10)[:, None]).all()
    for one in range(10):
        np.testing.assert_allclose(found.confidence[one], p[one, :, one], atol=1e-5)


@EACH
def test_an_image_does_not_depend_on_what_else_is_asked_for(made, networks, norm, kind):
    torch.manual_seed(99)
    some = hallucinate(networks[norm], [7, 2], COLOR, seed=5, starts=1, regularization=kind)
    np.testing.assert_array_equal(some.images, made[norm, kind].images[[7, 2], :1])
    np.testing.assert_array_equal(some.reached, made[norm, kind].reached[[7, 2], :1])
    np.testing.assert_allclose(some.confidence, made[norm, kind].confidence[[7, 2], :1], atol=1e-6)


def test_seeds_and_starts_and_classes_begin_differently(made, networks):
    for found in made.values():
        assert (pictures.diversity(found.images) > 0.01).all()
    beginnings = [start(seed, one, number, COLOR)[0] for seed, one, number in np.ndindex(2, 3, 2)]
    assert len({beginning.numpy().tobytes() for beginning in beginnings}) == 12
    for beginning in beginnings:
        assert abs(float(beginning.mean()) - 0.5) < 0.01
        assert abs(float(beginning.std()) - hallucinating.NOISE) < 0.01
    other = hallucinate(networks["batch"], [4], COLOR, seed=6, starts=1, steps=5)
    same = hallucinate(networks["batch"], [4], COLOR, seed=5, starts=1, steps=5)
    assert (other.images != same.images).any()


def test_the_jitter_is_small_to_all_sides_and_no_shorter_for_more_steps():
    noise, shifts = start(0, 0, 0, COLOR, 500)
    assert shifts.shape == (500, 2)
    for axis in (0, 1):
        assert set(shifts[:, axis].tolist()) == set(range(-JITTER, JITTER + 1))
    again, fewer = start(0, 0, 0, COLOR, 50)
    assert torch.equal(noise, again)
    assert torch.equal(shifts[:50], fewer)


@pytest.mark.parametrize("kind", REGULARIZATIONS)
def test_steps_are_the_formulas(kind):
    model = Tiny(0.1)
    found = hallucinate(model, [0, 2], TINY, seed=3, starts=2, regularization=kind, steps=30)
    for place, one in enumerate((0, 2)):
        for number in (0, 1):
            expected = one_by_one(model, one, number, kind, 30).astype(int)
            # Other last bits may round to another of 255 levels.
            assert np.abs(found.images[place, number] - expected).max() <= 1
            begun = as_bytes(start(3, one, number, TINY)[0])
            assert np.abs(begun - expected).max() > 10


def test_reached_counts_steps():
    """Of images that are brighter by a known amount after each step."""

    class Bright(nn.Module):
        def forward(self, x):
            z = 1e5 * (x.mean((1, 2, 3)) - brightness)
            return torch.stack((z, torch.zeros_like(z)), 1)

    begun = float(start(0, 0, 0, COLOR)[0].mean())
    # While gradients do not change, Adam's steps are as long as its learning rate.
    way = np.cumsum([RATE * (1 - step / 20) for step in range(20)])
    for after in (1, 3, 9):
        # Where log-odds are 0 two thirds on the way from one step to the next.
        brightness = begun + way[after - 1] - (way[after - 1] - [0, *way][after - 1]) / 3
        found = hallucinate(Bright(), [0], COLOR, seed=0, starts=1, regularization="none", steps=20)
        assert found.reached == after
    brightness = 0.4
    assert hallucinate(Bright(), [0], COLOR, seed=0, starts=1, steps=1).reached == 0


def test_smooth_images_vary_less(made):
    for norm in ("none", "batch"):
        plain, smooth = (made[norm, kind].images for kind in ("none", "smooth"))
        variation = [
            sum(np.abs(np.diff(images / 255, axis=axis)).sum((-3, -2, -1)) for axis in (-1, -2))
            for images in (plain, smooth)
        ]
        assert (variation[1] < 0.8 * variation[0]).all()
        assert (pictures.sharpness(smooth) < pictures.sharpness(plain)).all()
        assert (pictures.high_frequencies(smooth) < pictures.high_frequencies(plain)).all()


def test_nothing_of_the_network_or_its_caller_changes(networks):
    model = networks["batch"]
    model.norm.eval()
    model.fc.weight.requires_grad_(False)
    calls = []
    model.zero_grad()
    handles = [
        model.fc.register_forward_hook(lambda *_: calls.append(1)),
        model.out.register_full_backward_hook(lambda *_: None),
    ]
    F.cross_entropy(model(torch.rand(8, *COLOR)), torch.arange(8)).backward()
    calls.clear()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    places = {name: value.data_ptr() for name, value in model.state_dict().items()}
    grads = {
        name: (one.grad, None if one.grad is None else one.grad.clone())
        for name, one in model.named_parameters()
    }
    flags = {name: one.training for name, one in model.named_modules()}
    needs = {name: one.requires_grad for name, one in model.named_parameters()}
    hooks = [dict(one._forward_hooks) for one in model.modules()]
    backward_hooks = [dict(one._backward_hooks) for one in model.modules()]
    # NumPy's old, global state is what a caller may rely on.
    states = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].tolist()  # noqa: NPY002

    hallucinate(model, [0, 1], COLOR, seed=0, steps=3)

    assert torch.equal(torch.get_rng_state(), states[0])
    assert random.getstate() == states[1]
    # Again that state.
    assert np.random.get_state()[1].tolist() == states[2]  # noqa: NPY002
    assert torch.is_grad_enabled()
    after = model.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert {name: value.data_ptr() for name, value in after.items()} == places
    for name, one in model.named_parameters():
        kept, value = grads[name]
        assert one.grad is kept
        assert value is None or torch.equal(one.grad, value)
    assert {name: one.training for name, one in model.named_modules()} == flags
    assert {name: one.requires_grad for name, one in model.named_parameters()} == needs
    assert [dict(one._forward_hooks) for one in model.modules()] == hooks
    assert [dict(one._backward_hooks) for one in model.modules()] == backward_hooks
    assert calls, "hooks are part of what the network computes, so they run"
    for handle in handles:
        handle.remove()
    model.train().requires_grad_(True)


def test_neither_modes_nor_gradients_around_it_matter(networks):
    model = networks["batch"]
    expected = hallucinate(model, [1], COLOR, seed=0, starts=1, steps=4).images
    with torch.no_grad():
        found = [hallucinate(model.eval(), [1], COLOR, seed=0, starts=1, steps=4)]
    with torch.inference_mode():
        found.append(hallucinate(model.train(), [1], COLOR, seed=0, starts=1, steps=4))
    for one in found:
        np.testing.assert_array_equal(one.images, expected)


@pytest.mark.parametrize("kind", REGULARIZATIONS)
@pytest.mark.parametrize("norm", ["none", "batch"])
def test_gray_images_and_channels_last_do(norm, kind):
    model = trained(norm, "synthetic-gray")
    shape = SHAPES["synthetic-gray"]
    found = [
        hallucinate(one, range(10), shape, seed=0, starts=1, regularization=kind)
        for one in (model, model.to(memory_format=torch.channels_last))
    ]
    for one in found:
        assert one.images.shape == (10, 1, *shape)
        assert (one.confidence >= CONFIDENT).all()


def test_channels_last_begins_the_same(networks):
    model = networks["batch"]
    found = [
        hallucinate(one, [0, 9], COLOR, seed=0, steps=3).images.astype(int)
        for one in (model, model.to(memory_format=torch.channels_last))
    ]
    model.to(memory_format=torch.contiguous_format)
    assert (found[0] != found[1]).mean() < 0.01


@pytest.mark.parametrize("norm", [norm for norm in NORMS if norm != "batch-batchstats"])
def test_every_norm_can_be_hallucinated_with(norm):
    torch.manual_seed(0)
    model = CNN(COLOR, 10, width=8, hidden=8, norm=norm)
    model(torch.rand(16, *COLOR))  # some have no statistics before
    found = hallucinate(model, [3, 4], COLOR, seed=0, starts=1, steps=3)
    begun = np.stack([as_bytes(start(0, one, 0, COLOR)[0]) for one in (3, 4)])[:, None]
    assert np.isfinite(found.confidence).all()
    assert (found.images != begun).mean() > 0.5


def test_images_that_share_statistics_are_refused():
    model = CNN(COLOR, 10, width=8, hidden=8, norm="batch-batchstats")
    with pytest.raises(HallucinationError, match="changes the logits of another"):
        hallucinate(model, [3], COLOR, seed=0)


def test_a_resnet_can_be_hallucinated_with():
    run = Experiment(dataset="synthetic-color", model="resnet18", norm="batch",
                     initialization="torchvision")  # fmt: skip
    model = build(run).to(memory_format=torch.channels_last)
    found = hallucinate(model, [0, 9], COLOR, seed=0, starts=1, steps=3)
    assert found.images.shape == (2, 1, *COLOR)


def test_other_precisions_are_computed_in_float32():
    model = Tiny()
    expected = hallucinate(model, [1], TINY, seed=0, steps=3)
    double = hallucinate(model.double(), [1], TINY, seed=0, steps=3)
    assert model.weight.dtype == torch.float64
    np.testing.assert_array_equal(double.images, expected.images)


def test_a_network_that_is_never_sure_says_so():
    found = hallucinate(Tiny(1e-3), range(3), TINY, seed=0, starts=1)
    assert (found.reached == -1).all()
    assert (found.confidence < 0.4).all()
    assert (found.confidence > 1 / 3).all(), "it was moved the right way"


def test_a_confidence_that_rounding_takes_away_does_not_count():
    class Between(nn.Module):
        def forward(self, x):
            levels = x * 255
            z = 1e4 * ((levels - levels.round()).abs().mean((1, 2, 3)) - 0.01)
            return torch.stack((torch.zeros_like(z), z), 1)

    assert Between()(start(0, 1, 0, COLOR)[0][None])[0, 1] > 100
    found = hallucinate(Between(), [1], COLOR, seed=0, starts=1, steps=5)
    assert found.reached == -1
    assert found.confidence < 0.01


def test_an_image_that_was_better_on_the_way_shows_it(monkeypatch):
    """The class is noise, which smoothing takes away."""

    class Noisy(nn.Module):
        def forward(self, x):
            z = 1e4 * (x.var((1, 2, 3)) - hallucinating.NOISE**2 / 2)
            return torch.stack((torch.zeros_like(z), z), 1)

    monkeypatch.setattr(hallucinating, "SMOOTHNESS", 100)
    found = hallucinate(Noisy(), [1], COLOR, seed=0, starts=2)
    assert (found.reached == 0).all()
    assert (found.confidence < 0.01).all()


@pytest.mark.parametrize("kind", REGULARIZATIONS)
@pytest.mark.parametrize("value", [np.nan, np.inf, 0.0])
def test_a_network_without_gradients_leaves_the_noise(value, kind):
    model = Tiny()
    with torch.no_grad():
        model.weight.fill_(value)
    found = hallucinate(model, [0, 2], TINY, seed=0, starts=1, regularization=kind, steps=20)
    assert (found.reached == -1).all()
    if value == 0:
        np.testing.assert_allclose(found.confidence, 1 / 3, rtol=1e-6)
    else:
        assert np.isnan(found.confidence).all()
    for image, one in zip(found.images[:, 0], (0, 2), strict=True):
        np.testing.assert_array_equal(image, as_bytes(start(0, one, 0, TINY)[0]))


def test_one_image_without_a_gradient_does_not_stop_the_others():
    class Part(Tiny):
        def forward(self, x):
            dead = (x[:, 0, 0, 0] > limit)[:, None]
            return super().forward(x).masked_fill(dead, torch.nan)

    firsts = [float(start(0, one, 0, TINY)[0][0, 0, 0]) for one in range(3)]
    limit = sorted(firsts)[1] + 1e-6
    found = hallucinate(Part(), range(3), TINY, seed=0, starts=1, regularization="none", steps=1)
    moved = [
        bool((found.images[one, 0] != as_bytes(start(0, one, 0, TINY)[0])).any())
        for one in range(3)
    ]
    assert moved == [first < limit for first in firsts]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_on_a_gpu_it_begins_the_same():
    model = Tiny()
    expected = hallucinate(model, range(3), TINY, seed=0, steps=5)
    state = torch.cuda.get_rng_state()
    found = hallucinate(model.cuda(), range(3), TINY, seed=0, steps=5)
    assert torch.equal(torch.cuda.get_rng_state(), state)
    assert np.abs(found.images.astype(int) - expected.images).max() <= 1


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"regularization": "tv"}, "'tv' is unknown; choose from none, smooth"),
        ({"steps": 0}, "steps is 0; choose at least 1"),
        ({"starts": 0}, "starts is 0; choose at least 1"),
        ({"classes": []}, "name at least one"),
        ({"classes": [0, -1]}, r"\[0, -1\]; name at least one, as numbers counted from 0"),
        ({"classes": [0, 3]}, r"gives \(2, 3\) for 2 images; for class 3"),
        ({"shape": (6, 5)}, r"shape is \(6, 5\); give channels, height and width"),
        ({"shape": (2, 0, 5)}, "each at least 1"),
        ({"shape": (2, 6, 6)}, r"takes no images of the shape \(2, 6, 6\)"),
    ],
)
def test_what_cannot_be_is_refused(change, words):
    arguments = {"classes": [0], "shape": TINY, "seed": 0} | change
    with pytest.raises(HallucinationError, match=words):
        hallucinate(Tiny(), **arguments)
    assert issubclass(HallucinationError, NormlibError)
    assert issubclass(HallucinationError, ValueError)


@pytest.mark.parametrize(
    ("forward", "words"),
    [
        (lambda x: x.mean((1, 2, 3)), r"gives \(2,\) for 2 images"),
        (lambda x: x.flatten(1)[:, :1], "K above 1"),
        (lambda x: x, "must give"),
        (lambda x: x.flatten(1).detach(), "have no gradient"),
    ],
)
def test_what_is_no_classifier_is_refused(forward, words):
    model = nn.Module()
    model.forward = forward
    with pytest.raises(HallucinationError, match=words):
        hallucinate(model, [0], TINY, seed=0)
