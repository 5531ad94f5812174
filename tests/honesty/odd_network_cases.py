"""The odd networks; see :mod:`tests.honesty.odd_networks`."""

from __future__ import annotations

import types

import torch
from spikingjelly.activation_based import layer, neuron, surrogate
from torch import nn

from tests.honesty.odd_networks import Case, Three, lif, louder

CASES: list[Case] = []


def case(kind, name, ends="right", **options):
    """Add a case; decorates the class or function that builds the network."""

    def add(build):
        CASES.append(Case(kind, name, build, ends, **options))
        return build

    return add


def with_layer(**modules):
    """Return a network some of whose modules are others."""
    network = Three()
    for name, module in modules.items():
        setattr(network, name, module)
    return network


# --- what is there, and nothing odd
LAYERS = "layers left out"
case("plain", "IF, LIF and PLIF in turn")(
    lambda: with_layer(
        n1=neuron.IFNode(v_threshold=0.5, step_mode="m"),
        n3=neuron.ParametricLIFNode(v_threshold=0.5, step_mode="m"),
    )
)
case("plain", "soft reset")(lambda: Three(lambda: lif(v_reset=None)))
case("plain", "threshold below 0")(lambda: Three(lambda: lif(v_threshold=-0.5)))


@case("plain", "max pooling and dropout between, frames of 0 and 1")
class Pooled(Three):
    def __init__(self):
        super().__init__(size=4)
        self.drop, self.pool = layer.Dropout(0.5, step_mode="m"), layer.MaxPool2d(2, step_mode="m")

    def forward(self, x):
        return self.last(self.second(self.drop(self.pool(self.first(x.clamp(max=1))))))


@case("plain", "frames made binary by a comparison")
class Binarised(Three):
    def forward(self, x):
        return super().forward((x > 0).float())


@case("plain", "rectifiers written as a mask")
class Rectified(Three):
    def forward(self, x):
        u = self.c2(self.first(x))
        u = u * (u > 0)
        b = self.note("n2", self.n2(torch.where(u > 0.2, u, 0.1 * u)))
        return self.last(b)


# --- spiking layers that nothing reads
UNREAD = "not every spiking layer is read"
NOT_CALLED = "'n2' \\(LIFNode\\) is a neuron that could be read but whose hooks never ran"


@case(LAYERS, "neuron called by .forward()", NOT_CALLED)
class ByForward(Three):
    def second(self, x):
        return self.n2.forward(self.c2(x))


@case(LAYERS, "neuron called by .multi_step_forward()", NOT_CALLED)
class ByMultiStep(Three):
    def second(self, x):
        return self.n2.multi_step_forward(self.c2(x))


@case(LAYERS, "last neuron called by .forward(), so that no synapse follows", UNREAD)
class LastByForward(Three):
    def last(self, x):
        return self.n3.forward(self.fc(x.flatten(2))).mean(0)


@case(LAYERS, "neuron in a Python list", "a LIFNode that is no registered module")
class InList(Three):
    def __init__(self):
        super().__init__()
        node = self.n2
        del self.n2
        self.hidden = [node]

    def second(self, x):
        self.hidden[0].reset()
        return self.hidden[0](self.c2(x))


@case(LAYERS, "neuron made anew in every forward", "a LIFNode that is no registered module")
class MadeAnew(Three):
    def second(self, x):
        return lif()(self.c2(x))


@case(LAYERS, "surrogate function in forward", "'function' \\(ATan, .* turns real numbers")
class Functional(Three):
    def __init__(self):
        super().__init__()
        del self.n2
        self.function = surrogate.ATan()

    def second(self, x):
        return self.function(self.c2(x) - 0.5)


class Own(nn.Module):
    """A leaky neuron of a user's own."""

    def __init__(self, surrogate_function=None, **attributes):
        super().__init__()
        self.__dict__.update(attributes)
        self.surrogate = surrogate_function or surrogate.Sigmoid()

    def forward(self, x):
        v, out = 0.0, []
        for current in x:
            v = 0.5 * v + current
            spikes = self.surrogate(v - 0.5)
            v = v * (1 - spikes)
            out.append(spikes)
        return torch.stack(out)


class Compared(Own):
    def forward(self, x):
        v, out = 0.0, []
        for current in x:
            v = 0.5 * v + current
            out.append((v > 0.5).float())
            v = torch.where(v > 0.5, torch.zeros_like(v), v)
        return torch.stack(out)


class Graded(Own):
    def forward(self, x):
        return torch.round(x.clamp(0, 4)) / 4


class Ternary(Own):
    def forward(self, x):
        return torch.sign(x) * (x.abs() > 0.5)


class WinnerTakesAll(Own):
    def forward(self, x):
        return torch.nn.functional.one_hot(x.argmax(2), x.shape[2]).movedim(-1, 2).to(x)


class Steep(Own):
    def forward(self, x):
        return ((x - 0.2) * 1e12).sigmoid()


class InNumPy(Own):
    def forward(self, x):
        return torch.from_numpy((x.numpy() > 0.2).astype("float32"))


OWNERS = {
    "own neuron with its surrogate as a child": Own(v_threshold=0.5),
    "own neuron with theta": Own(theta=0.5),
    "own neuron with no attribute": Own(),
    "own neuron of comparisons": Compared(),
    "graded spikes by rounding": Graded(),
    "ternary spikes": Ternary(),
    "winner takes all": WinnerTakesAll(),
    "PSN": neuron.PSN(T=4),
    "MaskedPSN": neuron.MaskedPSN(k=2, T=4, step_mode="m"),
    "SlidingPSN": neuron.SlidingPSN(k=2, step_mode="m"),
    "GatedLIFNode": neuron.GatedLIFNode(T=4, inplane=4),
}
for owner_name, owner in OWNERS.items():
    for place in ("n1", "n2", "n3"):
        if place == "n3" and isinstance(owner, WinnerTakesAll | neuron.GatedLIFNode):
            continue  # of maps only
        case(LAYERS, f"{owner_name}, as {place}", f"'{place}' .* turns real numbers into spikes")(
            lambda place=place, owner=owner: with_layer(**{place: owner})
        )
for hidden_name, hidden in {"steep sigmoid": Steep(), "threshold in NumPy": InNumPy()}.items():
    case(LAYERS, hidden_name, "'fc' is given levels such as spikes make")(
        lambda hidden=hidden: with_layer(n2=hidden)
    )


@case(LAYERS, "own neuron that is silent at first", "'n2' .* turns real numbers into spikes")
def silent():
    return with_layer(n2=Compared(), c2=nn.Identity())


@case(LAYERS, "own integrate-and-fire neuron on the frames themselves", "'n1' .* turns real")
def encoder():
    network = with_layer(n1=Compared(), c1=nn.Identity())
    network.c2 = layer.Conv2d(2, 4, 3, padding=1, step_mode="m")
    return network


@case(LAYERS, "mask that is named to be ignored", options={"ignore_layers": ("mask",)})
class Masked(Three):
    def __init__(self):
        super().__init__()
        self.mask = Compared()
        self.c3 = layer.Conv2d(4, 4, 3, padding=1, step_mode="m")

    def second(self, x):
        u = self.c2(x)
        return self.note("n2", self.n2(u * self.mask(self.c3(x))))


@case(LAYERS, "registered neuron that is never called", warns="'idle' was never called")
class Idle(Three):
    def __init__(self):
        super().__init__()
        self.idle = lif()


# --- resets
RESET = "state that stays"


@case(RESET, "running average in a buffer", "'m' is not what it was: state stays over")
class Average(Three):
    def __init__(self):
        super().__init__()
        self.register_buffer("m", torch.zeros(()))

    def first(self, x):
        self.m = 0.5 * self.m + 0.5 * x.mean()
        return self.note("n1", self.n1(self.c1(x) + self.m))


@case(RESET, "trace without a reset, in an attribute", "'trace' is not what it was")
class Trace(Three):
    trace = 0.0

    def second(self, x):
        self.trace = 0.9 * self.trace + float(x.mean())
        return self.note("n2", self.n2(self.c2(x) + self.trace))


@case(RESET, "trace with a reset")
class TraceReset(Trace):
    def reset(self):
        self.trace = 0.0


@case(RESET, "network that changes with the fifth call", "does not do the same again|has changed")
class Fifth(Three):
    calls = 0

    def first(self, x):
        self.calls += 1
        return self.note("n1", self.n1(self.c1(x) * (1 + 0.3 * (self.calls > 4))))


@case(RESET, "network that changes with the twelfth call", "has changed while it was analysed")
class Twelfth(Fifth):
    def first(self, x):
        self.calls += 1
        return self.note("n1", self.n1(self.c1(x) * (1 + 0.3 * (self.calls > 11))))


@case(RESET, "batch normalisation in training mode", "changes its own 'bn.running_mean'")
class Training(Three):
    def __init__(self):
        super().__init__()
        self.bn = layer.BatchNorm2d(4, step_mode="m")

    def first(self, x):
        self.bn.train()
        return self.note("n1", self.n1(self.bn(self.c1(x))))


# --- what changes after the first batch
LATER = "later batches"


@case(LATER, "tau set in forward", data=louder())
class TauSet(Three):
    def first(self, x):
        self.n1.tau = 2.0 + float(x.mean())
        return super().first(x)


@case(LATER, "w of a PLIF set in forward", data=louder())
class WeightSet(Three):
    def __init__(self):
        super().__init__(lambda: neuron.ParametricLIFNode(v_threshold=0.5, step_mode="m"))

    def first(self, x):
        with torch.no_grad():
            self.n1.w.fill_(float(x.mean()) - 1.5)
        return super().first(x)


@case(LATER, "v_reset set in forward", "v_reset from 0.0 to -0.5", data=louder())
class ResetSet(Three):
    def first(self, x):
        self.n1.v_reset = -0.5 if float(x.mean()) > 1.2 else 0.0
        return super().first(x)


@case(LATER, "threshold set in forward from the input", "v_threshold from", data=louder())
class ThresholdSet(Three):
    def first(self, x):
        self.n1.v_threshold = 0.3 + 0.2 * float(x.mean())
        return super().first(x)


@case(LATER, "threshold set in forward to a constant")
class ThresholdOnce(Three):
    def first(self, x):
        self.n1.v_threshold = 0.75
        return super().first(x)


def replaced(method, later):
    """Return a network one method of whose first neuron is replaced on the object."""

    def build():
        network = Three()
        own = getattr(type(network.n1), method)

        def other(self, x, *args, **kwargs):
            if later and float(x.abs().max()) < 2.5:
                return own(self, x, *args, **kwargs)
            return own(self, x.clamp(max=0.4), *args, **kwargs)

        setattr(network.n1, method, types.MethodType(other, network.n1))
        return network

    return build


for method in ("multi_step_forward", "forward"):
    for later in (False, True):
        case(
            LATER,
            f"{method} replaced on the object{', acting in later batches' if later else ''}",
            "layer 'n1' .* are not 1 exactly where|ends in another membrane potential",
            data=louder(slice(2, 8)),
        )(replaced(method, later))


def global_hook(network):
    """Silence neurons everywhere, after a while."""
    count = {"calls": 0}

    def hook(module, args, output):
        if isinstance(module, neuron.LIFNode):
            count["calls"] += 1
            return output * 0 if count["calls"] > 31 else None
        return None

    return torch.nn.modules.module.register_module_forward_hook(hook).remove


case(LATER, "global hook that silences neurons", "are not 1 exactly", before=global_hook)(Three)


@case(LATER, "hook of the user's own that zeroes spikes", "are not 1 exactly", data=louder())
def own_hook():
    network = Three()
    network.n1.register_forward_hook(
        lambda module, args, output: output * 0 if float(args[0].max()) > 4 else None
    )
    return network


@case(LATER, "layer skipped in a later batch", "not every batch ran through the", data=louder())
class Skipped(Three):
    def second(self, x):
        return super().second(x) if float(x.mean()) < 0.2 else x


@case(LATER, "neuron called twice in a later batch", "not every batch ran", data=louder())
class Again(Three):
    def first(self, x):
        if float(x.mean()) > 1.2:
            self.n1(self.c1(x))
        return super().first(x)


# --- axes and calls
AXES = "axes and calls"


class SampleFirst(Three):
    def forward(self, x):
        return super().forward(x.transpose(0, 1))


for size in (2, 4):
    case(AXES, f"batch-first network, T = 4, batches of {size}", batch_size=size, truth=Three)(
        SampleFirst
    )


class SampleFirstOutput(Three):
    def last(self, x):
        return self.note("n3", self.n3(self.fc(x.flatten(2)))).transpose(0, 1)


class LoudReadout(Three):
    def __init__(self):
        super().__init__()
        self.fc.weight.data *= 4


class LoudSampleFirstOutput(SampleFirstOutput, LoudReadout):
    pass


for size in (2, 4):
    case(
        AXES, f"output (sample, time, class), batches of {size}", batch_size=size, truth=LoudReadout
    )(LoudSampleFirstOutput)


class Loop(nn.Module):
    """A single-step network that loops over time itself."""

    def __init__(self, axis=0):
        super().__init__()
        torch.manual_seed(0)
        self.axis = axis
        self.c1 = nn.Conv2d(2, 4, 3, padding=1)
        self.n1, self.n3 = lif(step_mode="s"), lif(step_mode="s")
        self.fc = nn.Linear(256, 3)
        self.log = {}

    def forward(self, x):
        first, last = [], []
        for step in x.unbind(self.axis):
            first.append(self.n1(3 * self.c1(step)))
            last.append(self.n3(2 * self.fc(first[-1].flatten(1))))
        self.log = {"n1": [torch.stack(first)], "n3": [torch.stack(last)]}
        return torch.stack(last).mean(0)


case(AXES, "network that loops over time itself, time first")(Loop)
case(AXES, "network that loops over time itself, sample first", truth=Loop, batch_size=4)(
    lambda: Loop(axis=1)
)


@case(AXES, "static network with a loop of its own", "calls each of its neurons 4 times or more")
class StaticLoop(Loop):
    def forward(self, x):
        return super().forward(torch.stack([x] * 4))


@case(AXES, "one single-step neuron used twice at each timestep, on one line")
class Alternating(Three):
    def __init__(self):
        super().__init__()
        self.n1 = lif(step_mode="s")
        del self.n2
        self.c2 = nn.Conv2d(4, 4, 3, padding=1)
        self.c2.weight.data *= 2

    def forward(self, x):
        first, second = [], []
        for current in self.c1(x):
            a = self.n1(current); b = self.n1(self.c2(a))  # noqa: E702 # fmt: skip
            first.append(a)
            second.append(b)
        self.note("n1", torch.stack(first))
        return self.last(self.note("n1", torch.stack(second)))


@case(AXES, "one single-step neuron used for all timesteps, and then again")
class OneAfterTheOther(Three):
    def __init__(self):
        super().__init__()
        self.n1 = lif(step_mode="s")
        del self.n2

    def first(self, x):
        return self.note("n1", torch.stack([self.n1(u) for u in self.c1(x)]))

    def second(self, x):
        return self.note("n1", torch.stack([self.n1(u) for u in self.c2(x)]))


@case(AXES, "forward runs the network twice, with a reset between")
class Twice(Three):
    def forward(self, x):
        y = super().forward(x)
        for node in (self.n1, self.n2, self.n3):
            node.reset()
        return y + super().forward(x.flip(-1))


@case(AXES, "output written to in place")
class WritesOutput(Three):
    def forward(self, x):
        a = self.first(x)
        a += 1.0
        b = self.second(a)
        b.mul_(0.3)
        return self.last(b)


@case(AXES, "input of a neuron written to in place, afterwards")
class WritesInput(Three):
    def forward(self, x):
        u = self.c1(x)
        a = self.note("n1", self.n1(u))
        u += a
        return self.last(self.second(u.relu_()))


@case(AXES, "frames written to in place")
class WritesFrames(Three):
    def forward(self, x):
        x.clamp_(max=1).mul_(2)
        return super().forward(x)


# --- numbers that are none, and errors
ERRORS = "errors"
for bad in (float("inf"), float("nan")):
    case(ERRORS, f"threshold {bad}", f"layer 'n1' .* has the threshold {bad}")(
        lambda bad=bad: Three(lambda: lif(v_threshold=bad))
    )


def returning(function):
    class Returning(Three):
        def forward(self, x):
            return function(super().forward(x))

    return Returning


for word, function in {
    "a tuple": lambda y: (y, 1),
    "a list": lambda y: [y],
    "a dict of 'out'": lambda y: {"out": y},
    "nothing \\(None\\)": lambda y: None,
}.items():
    case(ERRORS, f"network that returns {word}".replace("\\", ""), f"returns {word} and no tensor")(
        returning(function)
    )


for word, function in {
    "bool": lambda y: y > 0,
    "complex64": lambda y: y.to(torch.complex64),
    "sparse_coo": lambda y: y.to_sparse(),
    "shape \\(0, 3\\)": lambda y: y[:0],
}.items():
    case(ERRORS, f"output of {word}".replace("\\", ""), f"returns a tensor of .*{word}")(
        returning(function)
    )


@case(ERRORS, "reset that fails", "the reset\\(\\) of a FailingReset fails .ZeroDivisionError: no")
class FailingReset(Three):
    def reset(self):
        raise ZeroDivisionError("no reason")


@case("plain", "threshold-dependent batch normalisation")
class ThresholdDependent(Three):
    def __init__(self):
        super().__init__()
        self.bn = layer.ThresholdDependentBatchNorm2d(1.0, 0.5, 4)

    def first(self, x):
        return self.note("n1", self.n1(self.bn(self.c1(x))))


@case(ERRORS, "network that fails", "the network itself .* fails .* ZeroDivisionError at odd_netw")
class Failing(Three):
    def second(self, x):
        raise ZeroDivisionError("no reason")


@case(ERRORS, "layer named with a /", "layer 'a/b' has a '/' in its name")
def slash():
    network = Three()
    network.add_module("a/b", lif())
    return network


@case(ERRORS, "lazy module", "weight 'fc.weight' is of a lazy module that was never run")
def lazy():
    return with_layer(fc=nn.LazyLinear(3))


for odd, convert in {
    "sparse_coo": lambda w: w.to_sparse(),
    "complex64": lambda w: w.to(torch.complex64),
    "a meta tensor": lambda w: w.to("meta"),
    "float8": lambda w: w.to(torch.float8_e4m3fn),
}.items():

    @case(ERRORS, f"weights that are {odd}", f"weight 'c1.weight' is {odd}")
    def odd_weights(convert=convert):
        network = Three()
        weight = convert(network.c1.weight.data)
        network.c1.weight = nn.Parameter(weight, requires_grad=False)
        return network


case(ERRORS, "float64 network")(lambda: Three().double())
case(ERRORS, "bfloat16 network")(lambda: Three().bfloat16())


@case(ERRORS, "compiled network", "is compiled")
def compiled():
    return torch.compile(Three())


@case(ERRORS, "non-spiking neuron as the readout")
class Readout(Three):
    def __init__(self):
        super().__init__()
        self.n3 = neuron.NonSpikingLIFNode()
        self.n3.step_mode = "m"

    def last(self, x):
        return self.n3(self.fc(x.flatten(2)))[-1]


@case(ERRORS, "analogue outputs of a surrogate", "are not 1 exactly where")
def analogue():
    return Three(lambda: lif(surrogate_function=surrogate.Sigmoid(spiking=False)))


@case(ERRORS, "subclass of a known neuron", "no adapter reads")
def subclass():
    class Mine(neuron.LIFNode):
        pass

    return Three(lambda: Mine(v_threshold=0.5, step_mode="m"))
