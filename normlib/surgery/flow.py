"""Which layer's output a norm reads, and whether anything else reads it.

By torch.fx where it can follow the model: that holds for every input. Else by sending one
example through, which holds for inputs that take the same way.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, fx, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from normlib.errors import NormlibError
from normlib.surgery.example import Example, evaluating, first_argument, send
from normlib.surgery.norms import is_norm

WEIGHTED = (nn.modules.conv._ConvNd, nn.Linear)
"""Layers whose weight a norm behind them can be moved into: convolutions and linear ones."""


@dataclass
class Feed:
    """What a norm reads.

    Attributes:
        before: For each call the layer whose output it reads, or None where it reads another.
        source: What the last call reads, in words.
        alone: Whether it is called once, reads such a layer's only output, and nothing else
            reads that or any parameter of the two.
    """

    before: list[nn.Module | None] = field(default_factory=list)
    source: str = ""
    alone: bool = False


def feeds(model: nn.Module, example: Example | None = None) -> dict[nn.Module, Feed]:
    """Return what each norm of ``model`` reads, in evaluation; norms not called are not in it.

    Raises:
        NormlibError: torch.fx cannot follow the model, and there is no example.
    """
    try:
        with evaluating(model):
            graph = None if is_norm(model) else _Tracer().trace(model)
    except Exception as error:  # whatever the model's own code makes of a proxy
        if example is None:
            raise NormlibError(
                f"torch.fx cannot follow this {type(model).__name__} ({error!s:.200}); give "
                "example=, one input, to see which way it takes"
            ) from error
        return _by_example(model, example)
    return {} if graph is None else _by_graph(model, graph)


class _Tracer(fx.Tracer):
    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        if is_norm(m) or isinstance(m, WEIGHTED):
            return True
        whole = super().is_leaf_module(m, module_qualified_name)
        return whole and not any(is_norm(part) for part in m.modules())


def _by_graph(model: nn.Module, graph: fx.Graph) -> dict[nn.Module, Feed]:
    called = {n: model.get_submodule(str(n.target)) for n in graph.nodes if n.op == "call_module"}
    calls = Counter(called.values())
    read = {id(_attribute(model, n.target)) for n in graph.nodes if n.op == "get_attr"}
    found: dict[nn.Module, Feed] = {}
    for node, norm in called.items():
        if not is_norm(norm):
            continue
        source = first_argument(node.args, node.kwargs)
        before = called.get(source) if isinstance(source, fx.Node) else None
        feed = found.setdefault(norm, Feed())
        feed.before.append(before if isinstance(before, WEIGHTED) else None)
        feed.source = _in_words(source)
        feed.alone = (
            before is not None
            and isinstance(before, WEIGHTED)
            and list(source.users) == [node]
            and calls[before] == calls[norm] == 1
            and not any(id(t) in read for m in (before, norm) for t in _tensors(m))
        )
    return found


def _in_words(source: object) -> str:
    if not isinstance(source, fx.Node):
        return repr(source)
    if source.op == "placeholder":
        return f"the model's input {source.name!r}"
    if source.op == "call_module":
        return f"the output of {source.target!r}"
    return f"the result of {getattr(source.target, '__name__', source.target)!r}"


def _attribute(model: nn.Module, target: object) -> object:
    value: object = model
    for part in str(target).split("."):
        value = getattr(value, part)
    return value


def _tensors(module: nn.Module) -> list[Tensor]:
    return [*module.parameters(), *module.buffers()]


def _by_example(model: nn.Module, example: Example) -> dict[nn.Module, Feed]:
    modules = list(model.modules())
    norms = [m for m in modules if is_norm(m)]
    layers = [m for m in modules if isinstance(m, WEIGHTED)]
    watch = _Watch({m: name for name, m in model.named_modules()})
    hooks: list[Any] = [m.register_forward_hook(watch.made) for m in layers]
    hooks += [m.register_forward_pre_hook(watch.entered, with_kwargs=True) for m in norms]
    hooks += [m.register_forward_hook(watch.left, always_call=True) for m in norms]
    try:
        with evaluating(model), watch:
            watch.returned(send(model, example))
    finally:
        for hook in hooks:
            hook.remove()
    return watch.feeds()


class _Watch(TorchDispatchMode):
    """Sees every operator that reads the output of a convolution or linear layer."""

    def __init__(self, names: dict[nn.Module, str]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # torch has no types for it
        self._names = names
        # Outputs are kept, so that no later tensor has the identity of one that is gone.
        self._outputs: dict[int, tuple[Tensor, nn.Module, int]] = {}
        self._inputs: dict[nn.Module, list[tuple[int, bool]]] = {}
        self._reads: Counter[int] = Counter()
        self._calls: Counter[nn.Module] = Counter()
        self._inside = 0

    def __torch_dispatch__(
        self, func: Any, types: Sequence[type], args: Any = (), kwargs: Any = None
    ) -> Any:
        if not self._inside:
            self.returned((args, kwargs))
        return func(*args, **(kwargs or {}))

    def returned(self, tensors: object) -> None:
        """Count ``tensors`` as read by something that is not a norm."""
        for value in tree_leaves(tensors):
            self._reads[id(value)] += id(value) in self._outputs

    def made(self, layer: nn.Module, args: Any, output: Any) -> None:
        self._calls[layer] += 1
        if isinstance(output, Tensor):
            self._outputs[id(output)] = (output, layer, _version(output))

    def entered(self, norm: nn.Module, args: Any, kwargs: Any) -> None:
        x = first_argument(args, kwargs)
        output = self._outputs.get(id(x))
        unchanged = output is not None and output[2] == _version(x)
        self._inputs.setdefault(norm, []).append((id(x), unchanged))
        self._inside += 1

    def left(self, norm: nn.Module, args: Any, output: Any) -> None:
        self._inside -= 1

    def feeds(self) -> dict[nn.Module, Feed]:
        """Return what was seen."""
        readings = Counter(x for inputs in self._inputs.values() for x, _ in inputs)
        found = {}
        for norm, inputs in self._inputs.items():
            layers = [self._outputs[x][1] if unchanged else None for x, unchanged in inputs]
            x, last = inputs[-1][0], layers[-1]
            found[norm] = Feed(
                layers,
                "something computed" if last is None else f"the output of {self._names[last]!r}",
                last is not None
                and len(inputs) == self._calls[last] == readings[x] == 1
                and self._reads[x] == 0,
            )
        return found


def _version(x: Tensor) -> int:
    return 0 if x.is_inference() else x._version
