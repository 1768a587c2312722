"""07.4: the loss of spectral decoupling, and its gradient."""

import torch
import torch.nn.functional as F

from course_lib.grading import harness
from course_lib.grading.exercise import Exercise, Misconception
from course_lib.grading.sheet import Case


def sd_loss(logits, y, *, lam=0.1, gamma=2.0):
    """Return the loss of spectral decoupling: the mean cross-entropy, plus the penalty on the true class's logit.

    logits: float [B, K]; y: int64 [B], the labels 0 to K - 1.
    Returns one number, a float tensor of shape [] that can be differentiated.
    """
    true = logits.gather(1, y[:, None])[:, 0]
    return F.cross_entropy(logits, y) + lam / 2 * ((true - gamma) ** 2).mean()


def sd_loss_by_hand(logits, y, *, lam=0.1, gamma=2.0):
    rows = torch.arange(len(y))
    log_p = logits - logits.logsumexp(1, keepdim=True)
    return sum(-log_p[rows, y] + lam / 2 * (logits[rows, y] - gamma).square()) / len(y)


def _true(logits, y):
    return logits.gather(1, y[:, None])[:, 0]


def all_logits_punished(logits, y, *, lam=0.1, gamma=2.0):
    return F.cross_entropy(logits, y) + lam / 2 * ((logits - gamma) ** 2).sum(1).mean()


def all_logits_averaged(logits, y, *, lam=0.1, gamma=2.0):
    return F.cross_entropy(logits, y) + lam / 2 * ((logits - gamma) ** 2).mean()


def largest_logit_punished(logits, y, *, lam=0.1, gamma=2.0):
    return F.cross_entropy(logits, y) + lam / 2 * ((logits.amax(1) - gamma) ** 2).mean()


def probability_punished(logits, y, *, lam=0.1, gamma=2.0):
    return F.cross_entropy(logits, y) + lam / 2 * ((_true(logits.softmax(1), y) - gamma) ** 2).mean()


def penalty_summed(logits, y, *, lam=0.1, gamma=2.0):
    return F.cross_entropy(logits, y) + lam / 2 * ((_true(logits, y) - gamma) ** 2).sum()


def half_forgotten(logits, y, *, lam=0.1, gamma=2.0):
    return F.cross_entropy(logits, y) + lam * ((_true(logits, y) - gamma) ** 2).mean()


def gamma_forgotten(logits, y, *, lam=0.1, gamma=2.0):
    return F.cross_entropy(logits, y) + lam / 2 * (_true(logits, y) ** 2).mean()


def square_of_the_mean(logits, y, *, lam=0.1, gamma=2.0):
    return F.cross_entropy(logits, y) + lam / 2 * (_true(logits, y) - gamma).mean() ** 2


def penalty_detached(logits, y, *, lam=0.1, gamma=2.0):
    return F.cross_entropy(logits, y) + lam / 2 * ((_true(logits, y).detach() - gamma) ** 2).mean()


def everything_detached(logits, y, *, lam=0.1, gamma=2.0):
    return sd_loss(logits, y, lam=lam, gamma=gamma).detach()


def softmax_before_cross_entropy(logits, y, *, lam=0.1, gamma=2.0):
    return F.cross_entropy(logits.softmax(1), y) + lam / 2 * ((_true(logits, y) - gamma) ** 2).mean()


def softmax_overflows(logits, y, *, lam=0.1, gamma=2.0):
    p = torch.exp(logits) / torch.exp(logits).sum(1, keepdim=True)
    return -_true(p, y).log().mean() + lam / 2 * ((_true(logits, y) - gamma) ** 2).mean()


def loss_cases(generator, *, lam=0.1, gamma=2.0):
    def draw(batch, classes, scale):
        logits = torch.randn(batch, classes, generator=generator) * scale
        return logits, torch.randint(classes, (batch,), generator=generator)

    yield Case(draw(16, 10, 2.0))
    yield Case(draw(5, 3, 1.0))
    yield Case(draw(64, 10, 4.0))
    yield Case(draw(2, 2, 1.0))
    yield Case(draw(8, 10, 300.0), edge="very large logits")


def loss_numbers(generator):
    lam, gamma = torch.rand(2, generator=generator).tolist()
    return {"lam": round(0.05 + 0.4 * lam, 2), "gamma": round(1 + 3 * gamma, 1)}


SD_LOSS = Exercise(
    id="07.4",
    title="A loss that is told nothing",
    reference=sd_loss,
    cases=loss_cases,
    points=4,
    core=3,
    harness=harness.loss_and_gradient,
    numbers=loss_numbers,
    told={"lam": "the weight of the penalty", "gamma": "the logit that is not punished"},
    alternatives=(sd_loss_by_hand,),
    misconceptions=(
        Misconception(
            all_logits_punished,
            "You punish the logits of all classes. Spectral decoupling, as it is written here, punishes only the logit "
            "of the true class.",
        ),
        Misconception(
            all_logits_averaged,
            "Your penalty is a mean over all classes. It is about one logit per sample: the true class's. `gather` "
            "picks it.",
        ),
        Misconception(
            largest_logit_punished,
            "You punish the largest logit, the class that the network says. For a wrong answer that is not the true "
            "class; y says which one is.",
        ),
        Misconception(
            probability_punished,
            "You punish the probability, after the softmax. That one is at most 1, while the logit grows without end: "
            "punish the logit.",
        ),
        Misconception(
            penalty_summed,
            "The cross-entropy is a mean over the batch and your penalty a sum: with a larger batch it would count "
            "more. Take the mean of both.",
        ),
        Misconception(half_forgotten, "The penalty is exactly twice what it should be: the formula has lambda *half*."),
        Misconception(
            gamma_forgotten,
            "You pull the logit towards 0. The formula pulls it towards gamma: it is the distance from there that is "
            "squared.",
        ),
        Misconception(
            square_of_the_mean,
            "You square the mean distance: a logit far above gamma and one far below cancel out. Square first, then "
            "take the mean.",
        ),
        Misconception(
            penalty_detached,
            "The number is right and its gradient is not: the penalty does not pull at the logits at all. Look for a "
            "`.detach()`, `.data` or `torch.no_grad()` in it.",
        ),
        Misconception(
            everything_detached,
            "The number cannot be differentiated, so no network can learn from it. Keep tensors: no `.item()`, no "
            "`.detach()`, no numpy, no `torch.no_grad()` on the way.",
        ),
        Misconception(
            softmax_before_cross_entropy,
            "`F.cross_entropy` takes logits and does the softmax itself; yours is done twice, which flattens the "
            "gradient.",
        ),
        Misconception(
            softmax_overflows,
            "For very large logits exp() becomes infinity. `F.cross_entropy`, `log_softmax` and `logsumexp` do the "
            "same without it.",
        ),
    ),
)
