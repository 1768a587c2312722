"""07.5: a method of the student's own, graded by training with it."""

import torch
import torch.nn.functional as F

from course_lib.grading.exercise import Exercise, Misconception
from course_lib.grading.plain import Seed
from course_lib.grading.sheet import Case, Trial
from course_lib.mitigation import trials


def mitigate(x, generator):
    """Return the images to train on in place of x; nobody tells you their bias labels, nor their digits.

    x: float [B, 3, H, W], values from 0 to 1; generator: a torch.Generator for all that is random.
    Returns float [B, 3, H, W]. In the test the network sees the images as they are.
    """
    # What a digit is does not depend on its colours: mix the channels anew for every image.
    weights = torch.rand(len(x), 3, 3, generator=generator)
    weights = weights / weights.sum(2, keepdim=True)
    return torch.einsum("bij,bjhw->bihw", weights, x)


def channels_shuffled(x, generator):
    order = torch.rand(len(x), 3, generator=generator).argsort(1)
    return x.gather(1, order[:, :, None, None].expand_as(x))


def grey(x, generator):
    return x.mean(1, keepdim=True).repeat(1, 3, 1, 1)


def half_of_them_grey(x, generator):
    chosen = torch.rand(len(x), 1, 1, 1, generator=generator) < 0.5
    return torch.where(chosen, x.mean(1, keepdim=True), x)


def unchanged(x, generator):
    return x


def negative(x, generator):
    return 1 - x


def channels_turned(x, generator):
    return x[:, [1, 2, 0]]


def mirrored(x, generator):
    return x.flip(3)


def blurred(x, generator):
    return F.avg_pool2d(x, 3, stride=1, padding=1)


def image_cases(generator):
    for batch in (16, 3):
        yield Case((torch.rand(batch, 3, 42, 42, generator=generator), Seed(batch)))
    yield Case((torch.rand(1, 3, 24, 24, generator=generator), Seed(1)))


MITIGATE = Exercise(
    id="07.5",
    title="Beat the standard model",
    reference=mitigate,
    cases=image_cases,
    points=5,
    core=0,
    trial=Trial(
        score=trials.worst_minority_gain,
        threshold=0.1,
        told="Worst minority accuracy, compared with the standard model's: {score:+.3f} (asked for: {threshold:+.2f}).",
        hint="That is not yet better than chance would be. Which of the seven variables can you make useless without "
        "touching the shape of the digit?",
    ),
    alternatives=(channels_shuffled, grey, half_of_them_grey),
    misconceptions=(
        Misconception(
            unchanged,
            "These are the images as they were, with all their shortcuts. What is a digit's shape, and what only "
            "comes along with it?",
        ),
        Misconception(
            negative,
            "A negative is as colourful as the image: where yellow said 3, blue says it now, just as reliably. To make "
            "a colour useless it must stop going along with the digit.",
        ),
        Misconception(
            channels_turned,
            "All images are recoloured in the same way, so that every digit still has a colour of its own, only "
            "another one. What if the change were different for each image?",
        ),
        Misconception(
            mirrored,
            "Mirroring changes none of the four colours, and it does change the digits: a mirrored 2 is no 2, and the "
            "test shows none.",
        ),
        Misconception(
            blurred,
            "Blurring hides the thin strokes of the digit before it hides any colour: the shortcuts get easier, not "
            "harder.",
        ),
    ),
)
