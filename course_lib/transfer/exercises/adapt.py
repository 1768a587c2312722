"""04.5: a script with the two classic mistakes about freezing, repaired."""

import torch
import torch.nn.functional as F

from course_lib.grading.exercise import Exercise, Misconception
from course_lib.grading.plain import Seed
from course_lib.grading.sheet import Case
from course_lib.transfer import trials


def learn_head(network, x, y, *, steps=20, lr=0.5):
    """Give a network a new head with one output, and train this head alone.

    network: a FaceNet, with network.layers and network.head, in train mode; x: float [B, 3, H, W], pictures; y: float
    [B], 0 or 1. The new head is a torch.nn.Linear that starts at zero; it is trained on all pictures at once, with
    plain gradient descent (torch.optim.SGD) on the mean cross-entropy. The layers stay as they are, and answer in
    training as in eval mode.
    Returns the network.
    """
    network.layers.requires_grad_(False)
    network.head = torch.nn.Linear(network.head.in_features, 1)
    torch.nn.init.zeros_(network.head.weight)
    torch.nn.init.zeros_(network.head.bias)
    optimiser = torch.optim.SGD(network.head.parameters(), lr=lr)  # made when the new head is there
    network.eval()  # and no train() after it: the head is the same in both modes
    for _ in range(steps):
        optimiser.zero_grad()
        F.binary_cross_entropy_with_logits(network(x).squeeze(1), y).backward()
        optimiser.step()
    return network


def on_features_by_hand(network, x, y, *, steps=20, lr=0.5):
    network.layers.eval()
    with torch.no_grad():
        features = network.features(x)
        weight, bias = torch.zeros(features.shape[1]), torch.zeros(())
        for _ in range(steps):
            error = torch.sigmoid(features @ weight + bias) - y
            weight, bias = weight - lr * features.T @ error / len(y), bias - lr * error.mean()
    network.head = torch.nn.Linear(len(weight), 1)
    network.head.load_state_dict({"weight": weight[None], "bias": bias[None]})
    return network


def _script(network, x, y, steps, lr, *, old_head=False, train_mode=False, frozen=True, kind="SGD", loss="mean"):
    """The script as it was, with each mistake to be chosen."""
    before = torch.optim.SGD(network.parameters(), lr=lr) if old_head else None
    for weight in network.parameters():
        weight.requires_grad = not frozen
    network.eval()
    network.head = torch.nn.Linear(network.head.weight.shape[1], 1)
    torch.nn.init.constant_(network.head.weight, 0)
    torch.nn.init.constant_(network.head.bias, 0)
    optimizer = before or getattr(torch.optim, kind)(network.parameters(), lr=lr)
    for _ in range(steps):
        if train_mode:
            network.train()
        error = F.binary_cross_entropy_with_logits(network(x)[:, 0], y, reduction=loss)
        optimizer.zero_grad()
        error.backward()
        optimizer.step()
    return network


def as_it_was(network, x, y, *, steps=20, lr=0.5):
    return _script(network, x, y, steps, lr, old_head=True, train_mode=True)


def optimiser_of_the_old_head(network, x, y, *, steps=20, lr=0.5):
    return _script(network, x, y, steps, lr, old_head=True)


def statistics_still_move(network, x, y, *, steps=20, lr=0.5):
    return _script(network, x, y, steps, lr, train_mode=True)


def statistics_put_back(network, x, y, *, steps=20, lr=0.5):
    kept = {name: value.clone() for name, value in network.layers.state_dict().items()}
    network = _script(network, x, y, steps, lr, train_mode=True)
    network.layers.load_state_dict(kept)
    return network


def all_layers_trained(network, x, y, *, steps=20, lr=0.5):
    return _script(network, x, y, steps, lr, frozen=False)


def another_optimiser(network, x, y, *, steps=20, lr=0.5):
    return _script(network, x, y, steps, lr, kind="AdamW")


def loss_summed_up(network, x, y, *, steps=20, lr=0.5):
    return _script(network, x, y, steps, lr, loss="sum")


def one_step_less(network, x, y, *, steps=20, lr=0.5):
    return _script(network, x, y, steps - 1, lr)


def adapt_cases(generator, *, steps, lr):
    def draw(batch):
        x = torch.rand(batch, 3, 8, 8, generator=generator)
        y = (torch.arange(batch) % 3 == 0).float()
        return x, y, Seed(int(torch.randint(2**31, (), generator=generator)))

    yield Case(draw(12))
    yield Case(draw(7))
    yield Case(draw(1), edge="one picture")


def adapt_numbers(generator):
    steps, lr = torch.rand(2, generator=generator).tolist()
    return {"steps": 12 + int(28 * steps), "lr": round(0.2 + 0.6 * lr, 2)}


ADAPT = Exercise(
    id="04.5",
    title="Repair a script",
    reference=learn_head,
    cases=adapt_cases,
    points=4,
    core=3,
    harness=trials.after_adapting,
    rtol=1e-3,
    atol=1e-5,
    numbers=adapt_numbers,
    told={"steps": "how many steps of training", "lr": "the learning rate"},
    alternatives=(on_features_by_hand,),
    misconceptions=(
        Misconception(
            as_it_was,
            "Both mistakes are still there. Look at the head before and after the training, and at the running mean of "
            "a layer.",
        ),
        Misconception(
            optimiser_of_the_old_head,
            "The new head is at zero after all the steps. Which head's weights does the optimiser hold?",
        ),
        Misconception(
            statistics_still_move,
            "The head is trained, but the running statistics of the layers move, and the head learns from what they "
            "are in training. Which line undoes `network.eval()`?",
        ),
        Misconception(
            statistics_put_back,
            "You put the statistics back at the end. By then the head has learned from features that batch norm made "
            "with the batch's own mean and variance, which it will never see again.",
        ),
        Misconception(
            all_layers_trained,
            "The layers are trained along with the head. They were to stay as they are.",
        ),
        Misconception(
            another_optimiser,
            "The head is trained, and not with plain gradient descent: leave the optimiser as it was.",
        ),
        Misconception(
            loss_summed_up,
            "Your loss is a sum over the pictures, so each step is as many times too long as there are pictures.",
        ),
        Misconception(
            one_step_less,
            "The head has made one step less than it should.",
        ),
    ),
)
