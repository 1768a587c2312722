"""04.1: freeze the first layers of a network, and keep them frozen."""

import torch

from course_lib.grading.exercise import Exercise, Misconception
from course_lib.grading.plain import Seed
from course_lib.grading.sheet import Case
from course_lib.transfer import trials


def freeze_first(network, count):
    """Freeze the first layers of a network, for good: whatever is trained later, nothing in them moves.

    network: a FaceNet, with its layers in network.layers; count: how many of them to freeze, 0 to all.
    Neither the weights of a frozen layer nor the statistics of its batch norm move, and in training it answers as
    it does in eval mode, also where network.train() is called later. Everything else can still be trained.
    Returns the network.
    """
    for layer in network.layers[:count]:
        layer.requires_grad_(False).eval()
        layer.train = lambda mode=True, frozen=layer: frozen  # from now on train() passes it over
    return network


def frozen_by_a_class_of_its_own(network, count):
    for layer in list(network.layers)[:count]:
        kind = type(layer)
        layer.__class__ = type("Frozen", (kind,), {"train": lambda self, mode=True, kind=kind: kind.train(self, False)})
        layer.train()
        for weight in layer.parameters():
            weight.requires_grad = False
    return network


def eval_before_each_use(network, count):
    def put_in_eval_mode(module, _):
        module.eval()

    for i, layer in enumerate(network.layers):
        if i < count:
            layer.register_forward_pre_hook(put_in_eval_mode)
            for weight in layer.parameters():
                weight.requires_grad_(False)
    return network


def _still(part):
    """Put a part of a network in eval mode, for good."""
    part.eval()
    part.train = lambda mode=True: part
    return part


def only_the_weights(network, count):
    for layer in network.layers[:count]:
        layer.requires_grad_(False)
    return network


def only_eval_mode(network, count):
    for layer in network.layers[:count]:
        layer.eval()
    return network


def eval_mode_undone_by_train(network, count):
    for layer in network.layers[:count]:
        layer.requires_grad_(False)
        layer.eval()
    return network


def statistics_kept_but_weights_trained(network, count):
    for layer in network.layers[:count]:
        _still(layer)
    return network


def gradients_set_to_zero(network, count):
    for layer in network.layers[:count]:
        _still(layer)
        for weight in layer.parameters():
            weight.register_hook(torch.zeros_like)
    return network


def momentum_of_zero(network, count):
    for layer in network.layers[:count]:
        layer.requires_grad_(False)
        for module in layer.modules():
            if hasattr(module, "momentum"):
                module.momentum = 0.0
    return network


def only_batch_norm(network, count):
    for layer in network.layers[:count]:
        for module in layer.modules():
            if hasattr(module, "running_mean"):
                _still(module).requires_grad_(False)
    return network


def everything_frozen(network, count):
    network.requires_grad_(False)
    for every in network.layers.children():
        _still(every)
    return network


def one_layer_too_many(network, count):
    for layer in network.layers[: count + 1]:
        _still(layer).requires_grad_(False)
    return network


def counted_from_one(network, count):
    for layer in network.layers[1 : count + 1]:
        _still(layer).requires_grad_(False)
    return network


def the_last_layers(network, count):
    for layer in network.layers[-count:]:
        _still(layer).requires_grad_(False)
    return network


def freeze_cases(generator):
    def draw(count):
        x = torch.rand(10, 3, 8, 8, generator=generator)
        y = (torch.arange(10) % 2).float()
        return x, y, count, Seed(int(torch.randint(2**31, (), generator=generator)))

    yield Case(draw(1))
    yield Case(draw(2))
    yield Case(draw(len(trials.WIDTHS)), edge="all layers")
    yield Case(draw(0), edge="no layers")


FREEZE = Exercise(
    id="04.1",
    title="Freeze, and stay frozen",
    reference=freeze_first,
    cases=freeze_cases,
    points=4,
    core=3,
    harness=trials.after_freezing,
    rtol=0.05,  # AdamW makes much of the last digits of small gradients
    alternatives=(frozen_by_a_class_of_its_own, eval_before_each_use),
    misconceptions=(
        Misconception(
            only_the_weights,
            "The weights stay, but the running statistics of batch norm move: they are no parameters, and "
            "`requires_grad` does not hold them. What does a layer do in eval mode?",
        ),
        Misconception(
            only_eval_mode,
            "Eval mode stops no gradient: the weights are trained all the same. And the next `train()` ends it.",
        ),
        Misconception(
            eval_mode_undone_by_train,
            "It is frozen until the training loop calls `network.train()`, which puts every part back in train mode, "
            "and the statistics move again. See to it that these layers do not follow.",
        ),
        Misconception(
            statistics_kept_but_weights_trained,
            "The statistics stay, but the weights are trained. Which switch of a parameter keeps an optimiser away?",
        ),
        Misconception(
            gradients_set_to_zero,
            "A gradient of zero is still a gradient: the optimiser takes its step, and weight decay pulls the weights "
            "to 0. They must get no gradient at all.",
        ),
        Misconception(
            momentum_of_zero,
            "The running statistics stay, but in training they are not used: batch norm still takes mean and "
            "variance from the batch, so the layer answers otherwise than in eval mode.",
        ),
        Misconception(
            only_batch_norm,
            "Batch norm is frozen as it should be, the convolution is not: its weights are trained.",
        ),
        Misconception(
            everything_frozen,
            "Nothing can be trained any more, the head neither. Freeze as many layers as are asked for.",
        ),
        Misconception(
            one_layer_too_many,
            "You freeze a layer more than is asked for. Where does a slice of a list end?",
        ),
        Misconception(
            counted_from_one,
            "The very first layer is still trained: layers are counted from 0.",
        ),
        Misconception(
            the_last_layers,
            "You freeze the layers at the end. Those at the beginning are asked for: they see edges and colours, which "
            "most tasks share.",
        ),
    ),
)
