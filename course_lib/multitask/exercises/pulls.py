"""05.2: do two tasks pull the trunk in the same direction?"""

import torch
import torch.nn.functional as F

from course_lib.grading.exercise import Exercise, Misconception
from course_lib.grading.sheet import Case
from course_lib.multitask import trials


def trunk_cosine(network, x, smile, age):
    """Return the cosine of the angle between the gradients of two tasks in the trunk that they share.

    network: a module; network(x) is float [B, 2], the logit of a smile and the age as it is learned. It has a
    `network.trunk`, and two heads in `network.heads`. x: float [B, D]; smile: float [B], 0 or 1; age: float [B].
    The losses are the mean binary cross-entropy of the smile and the mean squared error of the age. Their
    gradients are taken in all parameters of the trunk together.
    Returns a float tensor of shape []: from -1 to 1, and NaN where one of the two gradients is zero.
    """
    said = network(x)
    smile_loss = F.binary_cross_entropy_with_logits(said[:, 0], smile)
    age_loss = F.mse_loss(said[:, 1], age)
    shared = list(network.trunk.parameters())
    first = torch.autograd.grad(smile_loss, shared, retain_graph=True)
    second = torch.autograd.grad(age_loss, shared)
    dot = sum((a * b).sum() for a, b in zip(first, second, strict=True))
    lengths = [sum((part**2).sum() for part in gradient) ** 0.5 for gradient in (first, second)]
    return dot / (lengths[0] * lengths[1])


def after_two_backward_passes(network, x, smile, age):
    pulls = []
    for task in range(2):
        network.zero_grad()
        said = network(x)[:, task]
        loss = F.binary_cross_entropy_with_logits(said, smile) if task == 0 else (said - age).pow(2).mean()
        loss.backward()
        pulls.append(torch.cat([p.grad.view(-1) for p in network.trunk.parameters()]))
    unit = [pull / pull.norm() for pull in pulls]
    return torch.dot(*unit)


def _gradients(network, x, smile, age, parameters):
    """The gradients of both losses: two lists with one tensor for each parameter; zeros where there is none."""
    said = network(x)
    losses = F.binary_cross_entropy_with_logits(said[:, 0], smile), (said[:, 1] - age).square().mean()
    settings = {"retain_graph": True, "allow_unused": True, "materialize_grads": True}
    return [torch.autograd.grad(loss, parameters, **settings) for loss in losses]


def _flat(gradient):
    return torch.cat([part.flatten() for part in gradient])


def _cosine(first, second):
    return first @ second / (first.norm() * second.norm())


def heads_included(network, x, smile, age):
    return _cosine(*map(_flat, _gradients(network, x, smile, age, list(network.parameters()))))


def mean_over_the_layers(network, x, smile, age):
    parts = zip(*_gradients(network, x, smile, age, list(network.trunk.parameters())), strict=True)
    return torch.stack([_cosine(a.flatten(), b.flatten()) for a, b in parts]).mean()


def lengths_left_in(network, x, smile, age):
    first, second = map(_flat, _gradients(network, x, smile, age, list(network.trunk.parameters())))
    return first @ second


def divided_by_one_length(network, x, smile, age):
    first, second = map(_flat, _gradients(network, x, smile, age, list(network.trunk.parameters())))
    return first @ second / first.norm()


def the_first_gradient_is_still_there(network, x, smile, age):
    first, second = map(_flat, _gradients(network, x, smile, age, list(network.trunk.parameters())))
    return _cosine(first, first + second)


def without_its_sign(network, x, smile, age):
    return trunk_cosine(network, x, smile, age).abs()


def last_layer_alone(network, x, smile, age):
    return _cosine(*map(_flat, _gradients(network, x, smile, age, list(network.trunk[2].parameters()))))


def biases_left_out(network, x, smile, age):
    matrices = [p for p in network.trunk.parameters() if p.dim() > 1]
    return _cosine(*map(_flat, _gradients(network, x, smile, age, matrices)))


def angle_of_the_features(network, x, smile, age):
    features = network.trunk(x).detach().requires_grad_()
    logit, years = (head(features)[:, 0] for head in network.heads.values())
    losses = F.binary_cross_entropy_with_logits(logit, smile), (years - age).square().mean()
    return _cosine(*(torch.autograd.grad(loss, features)[0].flatten() for loss in losses))


def nothing_is_at_a_right_angle(network, x, smile, age):
    return trunk_cosine(network, x, smile, age).nan_to_num(0.0)


def trunk_cases(generator):
    size = trials.Small.NUMBERS

    def draw(batch, low, high):
        """A network, and faces for whom the cosine lies between the two."""
        while True:
            parameters = 0.6 * torch.randn(size, generator=generator)
            x = torch.randn(batch, 5, generator=generator)
            smile = (x[:, 0] + torch.randn(batch, generator=generator) > 0).float()
            age = 3 * smile - 1.5 + 0.5 * torch.randn(batch, generator=generator)
            if low < trials.with_network(trunk_cosine, parameters, x, smile, age) < high:
                return parameters, x, smile, age

    yield Case(draw(12, 0.2, 0.9))
    yield Case(draw(20, -0.9, -0.2))
    yield Case(draw(9, -0.7, -0.1))
    yield Case(draw(16, 0.1, 0.7))
    parameters, x, smile, age = draw(10, 0.2, 0.9)
    parameters[-7:-1] = 0
    yield Case((parameters, x, smile, age), edge="a head whose weights are all 0, so that its task does not pull")


TRUNK_COSINE = Exercise(
    id="05.2",
    title="Do two tasks agree?",
    reference=trunk_cosine,
    cases=trunk_cases,
    points=4,
    core=3,
    harness=trials.with_network,
    alternatives=(after_two_backward_passes,),
    misconceptions=(
        Misconception(
            heads_included,
            "You take the gradients in all parameters. Each head belongs to one task alone, so that it only makes "
            "the vectors longer, and every angle closer to a right one: ask for what is shared.",
        ),
        Misconception(
            mean_over_the_layers,
            "You take the mean of one cosine for each parameter, in which a small layer counts as much as a large "
            "one. Make one long vector of all of them first.",
        ),
        Misconception(
            lengths_left_in,
            "That is the product of the gradients, which also grows with their lengths. A cosine knows the direction "
            "alone.",
        ),
        Misconception(
            divided_by_one_length,
            "You divide by the length of one gradient. Both have one.",
        ),
        Misconception(
            the_first_gradient_is_still_there,
            "Your second gradient is the sum of both: `backward` adds to what is there already. So they always seem "
            "to agree more than they do.",
        ),
        Misconception(
            without_its_sign,
            "Your cosine has lost its sign, and with it what matters: whether the tasks pull together or against each "
            "other.",
        ),
        Misconception(
            last_layer_alone,
            "You look at the last layer of the trunk alone. All layers are shared.",
        ),
        Misconception(
            biases_left_out,
            "You leave out the biases of the trunk. They are shared parameters, too.",
        ),
        Misconception(
            angle_of_the_features,
            "That is the angle between the gradients in the trunk's *output*. The text asks for those in its "
            "parameters, where the faces' gradients are added up.",
        ),
        Misconception(
            nothing_is_at_a_right_angle,
            "You say 0 where a gradient is zero, as if the tasks stood at a right angle. A task that does not pull "
            "has no direction, and the angle is not known.",
        ),
    ),
)
