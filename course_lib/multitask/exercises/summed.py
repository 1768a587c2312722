"""05.1: one loss of three tasks, where labels are missing."""

import torch
import torch.nn.functional as F

from course_lib.grading import harness
from course_lib.grading.exercise import Exercise, Misconception
from course_lib.grading.sheet import Case


def summed_loss(said, labels, *, age_weight=0.5):
    """Return the loss that a trunk with three heads minimises: smile, age and gender, in this order.

    said: float [B, 3], a logit, the age as it is learned, a logit; labels: float [B, 3], 0 or 1 for smile and
    gender, and NaN where a label is missing.
    The loss of a task is the mean over the faces that have its label: binary cross-entropy (in nats), and for the
    age the squared error, which counts with its weight. A task without any label in the batch adds 0.
    Returns one number, a float tensor of shape [] that can be differentiated.
    """
    total = said.new_zeros(())
    for task, weight in enumerate((1, age_weight, 1)):
        there = ~torch.isnan(labels[:, task])
        if there.any():
            answer, label = said[there, task], labels[there, task]
            if task == 1:
                total = total + weight * F.mse_loss(answer, label)
            else:
                total = total + weight * F.binary_cross_entropy_with_logits(answer, label)
    return total


def all_tasks_at_once(said, labels, *, age_weight=0.5):
    there = labels == labels
    label = torch.where(there, labels, said.detach())
    loss = F.softplus(said) - said * label
    loss[:, 1] = age_weight * (said[:, 1] - label[:, 1]) ** 2
    return torch.where(there, loss, 0.0).sum(0).div(there.sum(0).clamp(min=1)).sum()


def labels_filled_in_and_masked(said, labels, *, age_weight=0.5):
    return _summed(*_each(said, labels.nan_to_num(0.0)), labels.isfinite(), age_weight)


def _entropy(logit, label, reduction="none"):
    return F.binary_cross_entropy_with_logits(logit, label, reduction=reduction)


def _each(said, labels):
    """The loss of each face, [B], of smile, age and gender."""
    off = said[:, 1] - labels[:, 1]
    return _entropy(said[:, 0], labels[:, 0]), off.square(), _entropy(said[:, 2], labels[:, 2])


def _summed(smile, age, gender, there, age_weight, n=None):
    """The sum over the tasks of mean losses, over the faces that are there or n of them."""
    columns = zip((smile, age_weight * age, gender), there.T, strict=True)
    return sum(torch.where(here, loss, 0.0).sum() / (n or here.sum().clamp(min=1)) for loss, here in columns)


def mean_over_the_whole_batch(said, labels, *, age_weight=0.5):
    return _summed(*_each(said, labels.nan_to_num(0.0)), labels.isfinite(), age_weight, n=len(said))


def half_the_squared_error(said, labels, *, age_weight=0.5):
    return _summed(*_each(said, labels.nan_to_num(0.0)), labels.isfinite(), age_weight / 2)


def times_zero(said, labels, *, age_weight=0.5):
    there = labels.isfinite()
    losses = torch.stack(_each(said, labels), 1) * there
    return (losses.sum(0) / there.sum(0).clamp(min=1)) @ torch.tensor([1, age_weight, 1])


def masked_after_the_loss(said, labels, *, age_weight=0.5):
    return _summed(*_each(said, labels), labels.isfinite(), age_weight)


def only_complete_faces(said, labels, *, age_weight=0.5):
    complete = labels.isfinite().all(1)
    return summed_loss(said[complete], labels[complete], age_weight=age_weight)


def missing_taken_for_zero(said, labels, *, age_weight=0.5):
    return summed_loss(said, labels.nan_to_num(0.0), age_weight=age_weight)


def one_mean_over_all_labels(said, labels, *, age_weight=0.5):
    there = labels.isfinite()
    total = _summed(*_each(said, labels.nan_to_num(0.0)), there, age_weight, n=1)
    return total / there.sum().clamp(min=1)


def mean_of_the_tasks(said, labels, *, age_weight=0.5):
    return summed_loss(said, labels, age_weight=age_weight) / 3


def all_count_alike(said, labels, *, age_weight=0.5):
    return summed_loss(said, labels, age_weight=1)


def the_others_are_weighted(said, labels, *, age_weight=0.5):
    return age_weight * summed_loss(said, labels, age_weight=1 / age_weight)


def cross_entropy_of_the_age(said, labels, *, age_weight=0.5):
    filled = labels.nan_to_num(0.0)
    losses = _entropy(said, filled).unbind(1)
    return _summed(*losses, labels.isfinite(), age_weight)


def mean_of_nothing(said, labels, *, age_weight=0.5):
    smile, age, gender = (torch.isfinite(column) for column in labels.T)
    off = said[age, 1] - labels[age, 1]
    smiles = _entropy(said[smile, 0], labels[smile, 0], "mean")
    genders = _entropy(said[gender, 2], labels[gender, 2], "mean")
    return smiles + genders + age_weight * off.square().mean()


def loss_cases(generator, *, age_weight):
    def draw(sizes, batch):
        said = 1.5 * torch.randn(batch, 3, generator=generator)
        labels = (torch.rand(batch, 3, generator=generator) < 0.5).float()
        labels[:, 1] = torch.randn(batch, generator=generator)
        for task, known in enumerate(sizes):
            labels[torch.randperm(batch, generator=generator)[known:], task] = torch.nan
        labels[0] = torch.tensor([1.0, 0.7, 0.0])  # a face that has all its labels
        return said, labels

    yield Case(draw((3, 17, 14), 20))
    yield Case(draw((6, 9, 30), 36))
    yield Case(draw((20, 4, 8), 24))
    said, labels = draw((5, 12, 9), 16)
    labels[:, 1] = torch.nan
    yield Case((said, labels), edge="a batch without an age")
    said, labels = draw((7, 10, 3), 12)
    labels[:, 0] = torch.nan
    yield Case((said, labels), edge="a batch in which no smile is known")


def loss_numbers(generator):
    return {"age_weight": round(0.1 + 0.02 * int(torch.randint(0, 36, (), generator=generator)), 2)}


SUMMED_LOSS = Exercise(
    id="05.1",
    title="One loss, labels missing",
    reference=summed_loss,
    cases=loss_cases,
    points=4,
    core=3,
    harness=harness.loss_and_gradient,
    numbers=loss_numbers,
    told={"age_weight": "what the loss of the age counts"},
    alternatives=(all_tasks_at_once, labels_filled_in_and_masked),
    misconceptions=(
        Misconception(
            mean_over_the_whole_batch,
            "You divide by the number of all faces in the batch. A task with few labels then counts for almost "
            "nothing: whose mean is asked for?",
        ),
        Misconception(
            half_the_squared_error,
            "The age counts half of what it should: its loss is the squared error itself, not half of it.",
        ),
        Misconception(
            times_zero,
            "You multiply the loss of a missing label by 0. But NaN times 0 is NaN: a missing label must not get into "
            "the sum at all.",
        ),
        Misconception(
            masked_after_the_loss,
            "Your loss is right, but its gradient is NaN: where a NaN went through the loss function, its gradient "
            "is NaN also if the result is thrown away later. Mask before the loss.",
        ),
        Misconception(
            only_complete_faces,
            "You leave out every face that lacks any label, and with it the labels that it has. Ask for each task "
            "alone who has a label.",
        ),
        Misconception(
            missing_taken_for_zero,
            "You put 0 where a label is missing, and learn it: as if nobody without a label smiled. What is not known "
            "must not count.",
        ),
        Misconception(
            one_mean_over_all_labels,
            "You take one mean over the labels of all tasks, in which the task with the most labels has the say. Each "
            "task has a mean of its own, and these are added.",
        ),
        Misconception(
            mean_of_the_tasks,
            "You take the mean of the three losses. The text asks for their sum.",
        ),
        Misconception(
            all_count_alike,
            "All your tasks count the same. The age has a weight.",
        ),
        Misconception(
            the_others_are_weighted,
            "You multiply the losses of smile and gender by the weight that belongs to the age.",
        ),
        Misconception(
            cross_entropy_of_the_age,
            "You use cross-entropy for the age, too. An age is a number and no class: which loss does the text name?",
        ),
        Misconception(
            mean_of_nothing,
            "Where a batch has no label of a task, you take a mean of nothing, which is NaN. Such a task adds 0.",
        ),
    ),
)
