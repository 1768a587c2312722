"""04.3: the features of many pictures, computed once."""

import torch

from course_lib.grading.exercise import Exercise, Misconception
from course_lib.grading.plain import Seed
from course_lib.grading.sheet import Case
from course_lib.transfer import trials


def features_once(network, x, *, size=64):
    """Return the features of pictures, computed once, so that a head can be trained on them alone.

    network: a FaceNet, in train or eval mode; what its head is given are its features: network.features(x). x: float
    [N, 3, H, W], more pictures than may go through the network at once.
    The features are those of eval mode. The network is left as it was, its mode and its statistics included, nothing
    is recorded for a gradient, and a layer can be trained on the answer.
    Returns float [N, F], in the order of the pictures.
    """
    mode = network.training
    network.eval()
    with torch.no_grad():
        found = torch.cat([network.features(part) for part in x.split(size)])
    network.train(mode)
    return found


@torch.no_grad()
def head_taken_off_for_a_while(network, x, *, size=64):
    head, was = network.head, network.training
    network.head = torch.nn.Identity()
    network.train(False)
    table = torch.empty(len(x), head.in_features)
    for start in range(0, len(x), size):
        table[start : start + size] = network(x[start : start + size])
    network.head = head
    network.train(was)
    return table


def _collect(network, x, size, *, of=None, mode=False, back=True):
    """The parts of an answer in one tensor; each mistake can be chosen."""
    was = network.training
    network.train(mode)
    parts = [(of or network.features)(x[i : i + size]) for i in range(0, len(x), size)]
    network.train(was if back else mode)
    return torch.cat(parts)


def mode_left_alone(network, x, *, size=64):
    with torch.no_grad():
        return _collect(network, x, size, mode=network.training)


def train_mode_on_purpose(network, x, *, size=64):
    with torch.no_grad():
        return _collect(network, x, size, mode=True)


def eval_mode_for_good(network, x, *, size=64):
    with torch.no_grad():
        return _collect(network, x, size, back=False)


def train_mode_for_good(network, x, *, size=64):
    with torch.no_grad():
        found = _collect(network, x, size)
    network.train()
    return found


def recorded(network, x, *, size=64):
    return _collect(network, x, size)


def detached_afterwards(network, x, *, size=64):
    return _collect(network, x, size).detach()


def gradients_off_for_good(network, x, *, size=64):
    torch.set_grad_enabled(False)
    return _collect(network, x, size)


def in_inference_mode(network, x, *, size=64):
    with torch.inference_mode():
        return _collect(network, x, size)


def everything_at_once(network, x, *, size=64):
    with torch.no_grad():
        return _collect(network, x, len(x))


def rest_dropped(network, x, *, size=64):
    with torch.no_grad():
        return _collect(network, x[: max(1, len(x) // size) * size], size)


def answers_of_the_head(network, x, *, size=64):
    with torch.no_grad():
        return _collect(network, x, size, of=network)


def every_position(network, x, *, size=64):
    with torch.no_grad():
        return _collect(network, x, size, of=lambda part: network.layers(part).flatten(1))


def largest_instead_of_mean(network, x, *, size=64):
    with torch.no_grad():
        return _collect(network, x, size, of=lambda part: network.layers(part).amax((2, 3)))


def feature_cases(generator, *, size):
    def draw(n, mode):
        x = torch.rand(n, 3, 8, 8, generator=generator)
        return x, mode, Seed(int(torch.randint(2**31, (), generator=generator)))

    rest = int(torch.randint(2, size, (), generator=generator))
    yield Case(draw(2 * size + rest, True))
    yield Case(draw(size + 3, False))
    yield Case(draw(3 * size, True), edge="a number of pictures that leaves no rest")
    yield Case(draw(size - 1, True), edge="so few pictures that all can go at once")


def feature_numbers(generator):
    return {"size": int(torch.randint(12, 90, (), generator=generator))}


FEATURES = Exercise(
    id="04.3",
    title="Features, computed once",
    reference=features_once,
    cases=feature_cases,
    points=4,
    core=3,
    harness=trials.while_computing,
    rtol=1e-3,
    atol=1e-5,
    numbers=feature_numbers,
    told={"size": "how many pictures go through the network at once"},
    alternatives=(head_taken_off_for_a_while,),
    misconceptions=(
        Misconception(
            mode_left_alone,
            "A network that comes in train mode computes other features, which depend on who else is in the batch, and "
            "its statistics move. Say which mode you need.",
        ),
        Misconception(
            train_mode_on_purpose,
            "In train mode batch norm takes mean and variance from the batch: the features of a picture then depend on "
            "who else is in it.",
        ),
        Misconception(
            eval_mode_for_good,
            "The features are right, but a network that came in train mode is left in eval mode: whoever trains it "
            "next does so with frozen statistics, and does not know.",
        ),
        Misconception(
            train_mode_for_good,
            "The features are right, but a network that came in eval mode is left in train mode. Remember in which one "
            "it came: `network.training`.",
        ),
        Misconception(
            recorded,
            "For each picture everything is kept that a gradient would need. No gradient is wanted here: see "
            "`torch.no_grad()`.",
        ),
        Misconception(
            detached_afterwards,
            "The answer has no gradient, but on the way everything that one would need was recorded, and took memory. "
            "Do not let it be recorded at all.",
        ),
        Misconception(
            gradients_off_for_good,
            "You switch gradients off and leave them off: nothing in this notebook can be trained any more. A `with` "
            "block ends by itself.",
        ),
        Misconception(
            in_inference_mode,
            "Nothing can be trained on the tensors of inference mode: the head's backward pass would stop with an "
            "error. `torch.no_grad()` gives ordinary ones.",
        ),
        Misconception(
            everything_at_once,
            "All pictures go through the network at once. For as many as here that is fine; for a real data set there "
            "is no such memory.",
        ),
        Misconception(
            rest_dropped,
            "The pictures that do not fill a batch are missing. The last batch may be smaller.",
        ),
        Misconception(
            answers_of_the_head,
            "These are the answers of the network, after its old head. Features are what the head is given.",
        ),
        Misconception(
            every_position,
            "You keep the numbers of all positions of the picture. The features are the mean over them, as "
            "the head is given them.",
        ),
        Misconception(
            largest_instead_of_mean,
            "You take the largest number over the picture, where this network takes the mean: its head would be given "
            "something else.",
        ),
    ),
)
