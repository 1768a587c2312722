"""04.2: a copy of a network with a new head, for another number of outputs."""

import torch

from course_lib.grading.exercise import Exercise, Misconception
from course_lib.grading.plain import Seed
from course_lib.grading.sheet import Case
from course_lib.transfer import trials


def with_new_head(network, outputs):
    """Return a copy of a network with a new head for another number of outputs.

    network: a FaceNet, with its layers in network.layers and a torch.nn.Linear, with bias, in network.head; outputs:
    how many numbers the new network gives for a picture, 1 or more.
    The copy has the same layers with the same weights, and a new head of the same kind, which has learned nothing
    yet; all of it can be trained. It shares nothing with the old network, which stays as it is.
    """
    import copy

    new = copy.deepcopy(network)
    new.head = torch.nn.Linear(network.head.in_features, outputs)
    return new


def head_filled_with_zeros(network, outputs):
    import copy

    clone = copy.deepcopy(network)
    width = clone.head.weight.shape[1]
    clone.head.weight = torch.nn.Parameter(torch.zeros(outputs, width))
    clone.head.bias = torch.nn.Parameter(torch.zeros(outputs))
    return clone


def _copy(network):
    import copy

    return copy.deepcopy(network)


def put_into_the_old_network(network, outputs):
    network.head = torch.nn.Linear(network.head.weight.shape[1], outputs)
    return network


def layers_shared(network, outputs):
    twin = _copy(network)
    twin.layers = network.layers
    twin.head = torch.nn.Linear(twin.head.weight.shape[1], outputs)
    return twin


def only_the_attribute(network, outputs):
    twin = _copy(network)
    twin.head.out_features = outputs
    return twin


def on_top_of_the_old_head(network, outputs):
    twin = _copy(network)
    twin.head = torch.nn.Sequential(twin.head, torch.nn.Linear(twin.head.weight.shape[0], outputs))
    return twin


def old_rows_reused(network, outputs):
    twin = _copy(network)
    rows = torch.arange(outputs) % len(twin.head.bias)
    weight, bias = twin.head.weight.detach()[rows], twin.head.bias.detach()[rows]
    twin.head = torch.nn.Linear(weight.shape[1], outputs)
    twin.head.load_state_dict({"weight": weight, "bias": bias})
    return twin


def without_bias(network, outputs):
    twin = _copy(network)
    twin.head = torch.nn.Linear(twin.head.weight.shape[1], outputs, bias=False)
    return twin


def layers_forgotten(network, outputs):
    twin = _copy(network)
    for module in twin.modules():
        if hasattr(module, "reset_parameters"):
            module.reset_parameters()
    twin.head = torch.nn.Linear(twin.head.weight.shape[1], outputs)
    return twin


def head_frozen_too(network, outputs):
    twin = _copy(network)
    twin.head = torch.nn.Linear(twin.head.weight.shape[1], outputs)
    return twin.requires_grad_(False)


def layers_frozen(network, outputs):
    twin = _copy(network).requires_grad_(False)
    twin.head = torch.nn.Linear(twin.head.weight.shape[1], outputs)
    return twin


def old_head_where_the_number_is_the_same(network, outputs):
    twin = _copy(network)
    if len(twin.head.bias) != outputs:
        twin.head = torch.nn.Linear(twin.head.weight.shape[1], outputs)
    return twin


def head_cases(generator):
    def draw(outputs, wanted):
        x = torch.rand(6, 3, 8, 8, generator=generator)
        y = (torch.arange(6) % 2).float()
        return x, y, outputs, wanted, Seed(int(torch.randint(2**31, (), generator=generator)))

    few = int(torch.randint(2, 5, (), generator=generator))
    yield Case(draw(24, few))
    yield Case(draw(few, 12))
    yield Case(draw(few, 1))
    yield Case(draw(few, few), edge="as many outputs as before")


NEW_HEAD = Exercise(
    id="04.2",
    title="A new head",
    reference=with_new_head,
    cases=head_cases,
    points=4,
    core=3,
    harness=trials.after_new_head,
    alternatives=(head_filled_with_zeros,),
    misconceptions=(
        Misconception(
            put_into_the_old_network,
            "You put the new head into the network that was passed, whose owner has lost the old one. Copy it first, "
            "and deeply: a shallow copy has the same parts.",
        ),
        Misconception(
            layers_shared,
            "The two networks share their layers: where the new one is trained, the old one changes, too. Each needs "
            "weights of its own.",
        ),
        Misconception(
            only_the_attribute,
            "`out_features` is only a note of how large the layer was made: its weights are as many as before. A new "
            "layer is needed.",
        ),
        Misconception(
            on_top_of_the_old_head,
            "Your new head stands on the old one, and sees only what the old task asked for. It should see the "
            "features.",
        ),
        Misconception(
            old_rows_reused,
            "Rows of the old head are in the new one, but an output for an old question says nothing about a new one. "
            "Let it start anew.",
        ),
        Misconception(
            without_bias,
            "Your head has no bias, as the old one had: its answer to features of zero can then only be 0.",
        ),
        Misconception(
            layers_forgotten,
            "The layers start at random: that is a network from scratch, and nothing is transferred. Keep their "
            "weights.",
        ),
        Misconception(
            head_frozen_too,
            "The new head cannot be trained, nor can anything else. Look at `requires_grad`.",
        ),
        Misconception(
            layers_frozen,
            "The head can be trained, the layers cannot. Nothing was to be frozen here: that is another decision.",
        ),
        Misconception(
            old_head_where_the_number_is_the_same,
            "Where the number of outputs is the old one, you keep the old head, which answers another question. As "
            "many answers are not the same answers.",
        ),
    ),
)
