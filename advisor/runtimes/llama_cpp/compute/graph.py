"""A skeleton of llama.cpp's compute graph: the nodes that take memory, in execution order, with their devices.

A node is a tensor that some operation writes. It is named by its position; `view(node)` names the same
memory seen through a reshape or slice. What matters of an operation is how many bytes it writes, what it
reads, whether it may overwrite an input, and on which device the weight it uses lies (if it uses one).

llama.cpp (commit 0c1e57098) goes on in three steps: `ggml_backend_sched_split_graph` gives every operation a device
(`assign`), copies what crosses devices (`schedule`), and `ggml_gallocr` lays the tensors out (`layout.py`);
ggml/src/ggml-backend.cpp, ggml/src/ggml-alloc.c.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from advisor.sizing.placement import HOST

_UNASSIGNED = -2
_NOTHING = -1 << 40
ALL = 1 << 40
LENDER = 0  # the device that computes with weights of the host


def view(node: int) -> int:
    """The same tensor seen through a view; a view is never overwritten in place."""
    return node if node < 0 else ~node


@dataclass(slots=True)
class Passing:
    """Weights of the host that pass through a GPU.

    `tensors` are the bytes of those of the layer being added, by name; empty where none pass. `known` are the nodes of
    those that are read in it, of which those in `runs` begin a run where they are copied, `shared` those of all layers;
    `names` tells the name of each node.
    """

    tensors: Mapping[str, int] = field(default_factory=dict)
    known: dict[str, int] = field(default_factory=dict)
    shared: dict[str, int] = field(default_factory=dict)
    runs: set[int] = field(default_factory=set)
    names: dict[int, str] = field(default_factory=dict)


@dataclass(slots=True)
class Graph:
    """Nodes as parallel lists (this is simulated for every change of a setting).

    `here` is the device whose weights the operations being added use. `order` is the execution order of
    operations. llama.cpp creates operations first and puts them into the order when something asks for their
    result (`ggml_build_forward_expand`); `settle()` marks such a point, and `early()` operations go to the
    last one, before whatever has been created since. `inputs` tell how many constants are allocated before each, and
    `fused` holds, of attention and of streams, the operations that llama.cpp fuses, with where their layers lie.

    Where `weights` pass through a GPU, whatever uses one of the host is computed by the first GPU, which copies it
    (`op_offload`), and biases and factors matter too.
    """

    here: int = HOST
    weights: Passing = field(default_factory=lambda: Passing())
    sizes: list[int] = field(default_factory=list)
    homes: list[int] = field(default_factory=list)
    reads: list[tuple[int, ...]] = field(default_factory=list)
    reuses: list[bool] = field(default_factory=list)
    inputs: dict[int, int] = field(default_factory=dict)
    order: list[int] = field(default_factory=list)
    settled: int = 0
    parts: dict[int, int] = field(default_factory=dict)
    empty: set[int] = field(default_factory=set)
    unread: set[int] = field(default_factory=set)
    kept: list[int] = field(default_factory=list)
    fused: dict[str, list[tuple[int, int]]] = field(default_factory=lambda: {"attention": [], "streams": []})
    most_copies: int = 1 << 30

    def _add(self, size: int, reads: tuple[int, ...], home: int, reuses: bool, leaf: bool) -> int:
        self.sizes.append(size)
        self.homes.append(home)
        self.reads.append(reads)
        self.reuses.append(reuses)
        node = len(self.sizes) - 1
        if not leaf:
            self.order.append(node)
        return node

    def settle(self) -> None:
        self.settled = len(self.order)

    def part(self, size: int, root: int = _NOTHING, home: int = _UNASSIGNED) -> int:
        """A view that is copied by itself when it crosses devices, `size` bytes then.

        `root` is the tensor seen; without one it is a cache that lies on device `home`.
        """
        node = self._add(size, (), home, False, True)
        self.parts[node] = root
        return node

    def seen(self, node: int, size: int) -> int:
        """A view of so many bytes of a tensor, where what is copied to the host counts."""
        return self.part(size, view(node)) if self.lent else view(node)

    def early(self, size: int, home: int = _UNASSIGNED, reads: tuple[int, ...] = (), *, reuses: bool = False) -> int:
        """An operation on what is long known, which enters the order before operations still waiting."""
        node = self._add(size, reads, home, reuses, False)
        self.order.pop()
        self.order.insert(self.settled, node)
        self.settled += 1
        return node

    def early_weighed(self, size: int, *reads: int, weight: str, reuses: bool = False) -> int:
        """The same with a weight of the current layer."""
        if not self.lent:
            return self.early(size, self.here, reads, reuses=reuses)
        return self.early(size, LENDER, (self.weight(f"{weight}.weight"), *reads), reuses=reuses)

    def input(self, size: int, constants: int = 0) -> int:
        """A tensor the caller fills: lives on the host, is allocated before anything else.

        It is allocated when so many constants have been.
        """
        self.inputs[len(self.sizes)] = constants
        return self._add(size, (), HOST, False, True)

    @property
    def late(self) -> dict[int, int]:
        """Inputs that are allocated when so many constants have been."""
        return {number: constants for number, constants in self.inputs.items() if constants}

    def leaves(self) -> list[int]:
        """What is allocated before anything else, in that order."""
        others = {*self.order, *self.parts}
        every, those_late = [number for number in range(len(self.sizes)) if number not in others], self.late
        if len(those_late) + len(self.inputs) == len(every):
            return every
        order, constants = [], 0
        late = sorted(those_late, key=lambda number: (-those_late[number], -number))  # the next one last
        for number in every:
            if number not in those_late:
                order.append(number)
            if number not in self.inputs:
                constants += 1
            while late and those_late[late[-1]] <= constants:
                order.append(late.pop())
        return [*order, *reversed(late)]

    def constant(self, size: int) -> int:
        """A tensor allocated before anything else on the device that reads it first."""
        return self._add(size, (), _UNASSIGNED, False, True)

    def op(self, size: int, *reads: int) -> int:
        return self._add(size, reads, _UNASSIGNED, False, False)

    def inplace(self, size: int, *reads: int) -> int:
        """An operation that may overwrite one of its inputs (`ggml_op_can_inplace`)."""
        return self._add(size, reads, _UNASSIGNED, True, False)

    @property
    def lent(self) -> bool:
        """Whether another device computes with the weights of the current layer."""
        return self.here == HOST and bool(self.weights.tensors)

    def layer_begins(self, tensors: Mapping[str, int]) -> None:
        """From here on weights are those of another layer."""
        self.weights.tensors, self.weights.known = tensors, dict(self.weights.shared)

    def share(self, prefix: str) -> None:
        """Weights so named are those of all layers, and copied once."""
        self.weights.shared = {name: self.weight(name) for name in self.weights.tensors if name.startswith(prefix)}

    def weight(self, name: str) -> int:
        """A weight of the host, which is copied where it is read. KeyError: nobody knows of it."""
        weights = self.weights
        if (found := weights.known.get(name)) is None:
            found = weights.known[name] = self.host_part(name)
            weights.runs.add(found)
        return found

    def host_part(self, name: str) -> int:
        """A view of a weight of the host: copied like it, but no reason to begin a run. KeyError as with `weight`."""
        weights = self.weights
        name = name if name in weights.tensors else name.removesuffix(".weight")
        node = self.part(weights.tensors[name], home=HOST)
        weights.names[node] = name
        return node

    def matmul(self, size: int, *reads: int, weight: str = "", at_home: bool = False) -> int:
        """Multiplication by a weight of the current layer, and its bias; `at_home`: no other device computes it."""
        if at_home:
            return self.on(self.here, size, *reads)
        return self.routed(self.here, size, *reads, weight=weight)

    def routed(self, home: int, size: int, *reads: int, weight: str = "") -> int:
        """The same by a weight on `home`: of experts chosen by the second input, if there is one."""
        if home != HOST or not self.weights.tensors:
            return self._add(size, reads, home, False, False)
        node = self._add(size, (self.weight(f"{weight}.weight"), *reads), LENDER, False, False)
        return self._shifted(node, f"{weight}.bias", *reads[1:])

    def _shifted(self, node: int, bias: str, *reads: int) -> int:
        if bias not in self.weights.tensors:
            return node
        return self._add(self.sizes[node], (node, self.weight(bias), *reads), LENDER, True, False)

    def scaled(self, size: int, source: int, weight: str = "") -> int:
        """Scaling or shift by a weight of the current layer."""
        if not self.lent:
            return self._add(size, (source,), self.here, True, False)
        return self._add(size, (source, self.weight(weight)), LENDER, True, False)

    def shifted(self, size: int, source: int, weight: str) -> int:
        """The same not in place."""
        if not self.lent:
            return self._add(size, (source,), self.here, False, False)
        return self._add(size, (source, self.weight(weight)), LENDER, False, False)

    def weighed(self, node: int, weight: str) -> int:
        """The same where it takes no memory and moves nothing, unless the weight has to be copied; and its bias."""
        if not self.lent or f"{weight}.weight" not in self.weights.tensors:
            return node
        size = self.sizes[node if node >= 0 else ~node]
        return self._shifted(self.scaled(size, node, f"{weight}.weight"), f"{weight}.bias")

    def on(self, device: int, size: int, *reads: int) -> int:
        """An operation with a weight (or cache) on `device`."""
        return self._add(size, reads, device, False, False)

    def norm(self, size: int, source: int, rms: bool = True, weight: str = "") -> int:
        """Normalization, then multiplication by its weight; only the RMS kind can be done in place."""
        normed = self._add(size, (source,), _UNASSIGNED, rms, False)
        if not self.lent:
            return self._add(size, (normed,), self.here, True, False)
        return self._shifted(self.scaled(size, normed, f"{weight}.weight"), f"{weight}.bias")

    def store(self, *reads: int) -> None:
        """Write into a cache that lies with the layer; takes no compute memory."""
        self._add(0, reads, self.here, False, False)
        self.settle()

    def flash_attention(self, size: int, *reads: int) -> int:
        """Fused attention; llama.cpp gives it up if it would not run where its layer lies."""
        node = self.op(size, *reads)
        self.fused["attention"].append((node, self.here))
        self.settle()
        return node

    def keep(self, node: int) -> None:
        """Mark a result that is read after the graph has run, so that its memory is never given back."""
        self.kept.append(node)

    def assign(self) -> list[int]:
        """Give operations without a weight the device of their neighbours: GPUs first, downwards before upwards."""
        result = list(self.homes)
        for host_too in (False, True):
            for numbers in (self.order, self.order[::-1]):
                current = _UNASSIGNED
                for number in numbers:
                    home = result[number]
                    if home != _UNASSIGNED:
                        current = home if host_too or home != HOST else _UNASSIGNED
                    elif current != _UNASSIGNED:
                        result[number] = current
        for number in self.order:
            for read in self.reads[number]:
                source = read if read >= 0 else ~read
                if source in self.parts and self.parts[source] != _NOTHING:
                    root = self.parts[source]
                    result[source] = result[root if root >= 0 else ~root]
                elif result[source] == _UNASSIGNED:
                    result[source] = result[number]
        return result


def _arrives(read: int, home: int, homes: list[int], copies: Mapping[tuple[int, int], int]) -> bool:
    """Whether what is read there has to be copied first."""
    source = read if read >= 0 else ~read
    return homes[source] != home and (source, home) not in copies


# One entry of the final order: node, device, what it reads, and the tensor it is a copy of (-1: an operation).
Step = tuple[int, int, tuple[int, ...], int]


def schedule(graph: Graph, homes: list[int]) -> list[Step]:
    """Cut the order into runs on one device; what a run needs from elsewhere is copied when the run starts.

    A tensor is copied to a device once, and the copy stays until its last use there. A weight that is copied begins a
    run of its own, unless nothing has been copied for the one before: so it finds the place of the last one. So does
    what needs one copy more than `most_copies`.
    """
    steps: list[Step] = []
    copies: dict[tuple[int, int], int] = {}
    run_start, device, next_copy = 0, _UNASSIGNED, len(homes)
    arrivals: list[Step] = []
    parts, passing = graph.parts, graph.weights.runs
    for number in graph.order:
        home = homes[number]
        if home != device:
            steps[run_start:run_start] = arrivals
            arrivals, run_start, device = [], len(steps), home
        sources = graph.reads[number]
        if arrivals and passing and any(read in passing and homes[read] != home for read in sources):
            steps[run_start:run_start] = arrivals
            arrivals, run_start = [], len(steps)
        for read in sources:
            if homes[read if read >= 0 else ~read] != home or read in parts:
                break
        else:
            steps.append((number, home, sources, -1))
            continue
        if len(arrivals) >= graph.most_copies and any(_arrives(read, home, homes, copies) for read in sources):
            steps[run_start:run_start] = arrivals
            arrivals, run_start = [], len(steps)
        moved: list[int] = []
        for read in sources:
            source = read if read >= 0 else ~read
            seen: tuple[int, ...] = (read,)
            if source in parts:
                seen = (parts[source],) if parts[source] != _NOTHING else ()
            if homes[source] == home:
                moved += seen
                continue
            copy = copies.get((source, home))
            if copy is None:
                copy = copies[source, home] = next_copy
                next_copy += 1
                arrivals.append((copy, home, seen, source))
            moved.append(copy)
        steps.append((number, home, tuple(moved), -1))
    steps[run_start:run_start] = arrivals
    return steps
