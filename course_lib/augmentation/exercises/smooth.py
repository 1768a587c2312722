"""03.4: smoothness of weight images."""

import torch

from course_lib.grading.exercise import Exercise, Misconception
from course_lib.grading.sheet import Case


def smoothness(weights, *, least=0.0001):
    """Return how smooth the weight image of each hidden unit is.

    weights: float [N, H, W].
    Returns float [N]: 1 - (mean squared difference of neighbouring pixels) / (2 variance); NaN for an image
    whose variance is too small.
    """
    down, across = weights.diff(dim=1), weights.diff(dim=2)
    squares = torch.cat([down.flatten(1), across.flatten(1)], 1).square()
    variance = weights.flatten(1).var(1, correction=0)
    return torch.where(variance >= least, 1 - squares.mean(1) / (2 * variance), torch.nan)


def unit_by_unit(weights, *, least=0.0001):
    scores = []
    for image in weights:
        down, across = (image[1:] - image[:-1]).flatten(), (image[:, 1:] - image[:, :-1]).flatten()
        variance = ((image - image.mean()) ** 2).mean()
        roughness = ((down**2).sum() + (across**2).sum()) / (len(down) + len(across))
        scores.append(1 - roughness / (2 * variance) if variance >= least else torch.tensor(float("nan")))
    return torch.stack(scores)


def _pairs(weights):
    return torch.cat([weights.diff(dim=1).flatten(1), weights.diff(dim=2).flatten(1)], 1)


def _score(weights, roughness, least, variance=None):
    own = weights.flatten(1).var(1, correction=0)
    return torch.where(own >= least, 1 - roughness / (2 * (own if variance is None else variance)), torch.nan)


def only_across(weights, *, least=0.0001):
    return _score(weights, weights.diff(dim=2).flatten(1).square().mean(1), least)


def only_down(weights, *, least=0.0001):
    return _score(weights, weights.diff(dim=1).flatten(1).square().mean(1), least)


def from_edge_to_edge(weights, *, least=0.0001):
    down, across = weights - weights.roll(1, 1), weights - weights.roll(1, 2)
    return _score(weights, torch.cat([down.flatten(1), across.flatten(1)], 1).square().mean(1), least)


def rows_joined_to_one_line(weights, *, least=0.0001):
    return _score(weights, weights.flatten(1).diff(dim=1).square().mean(1), least)


def two_means_averaged(weights, *, least=0.0001):
    down, across = (weights.diff(dim=d).flatten(1).square().mean(1) for d in (1, 2))
    return _score(weights, (down + across) / 2, least)


def the_two_is_missing(weights, *, least=0.0001):
    return _score(weights, 2 * _pairs(weights).square().mean(1), least)


def sizes_not_squares(weights, *, least=0.0001):
    return _score(weights, _pairs(weights).abs().mean(1), least)


def roughness_not_smoothness(weights, *, least=0.0001):
    return 1 - smoothness(weights, least=least)


def standard_deviation(weights, *, least=0.0001):
    return _score(weights, _pairs(weights).square().mean(1), least, weights.flatten(1).std(1, correction=0))


def one_variance_for_all(weights, *, least=0.0001):
    return _score(weights, _pairs(weights).square().mean(1), least, weights.var(correction=0))


def divided_by_one_less(weights, *, least=0.0001):
    return _score(weights, _pairs(weights).square().mean(1), least, weights.flatten(1).var(1))


def faint_images_scored(weights, *, least=0.0001):
    return _score(weights, _pairs(weights).square().mean(1), 1e-12)


def smooth_cases(generator, *, least):
    def draw(count, height, width):
        blurred = torch.randn(count, height + 2, width + 2, generator=generator)
        blurred = blurred.unfold(1, 3, 1).mean(-1).unfold(2, 3, 1).mean(-1)
        blurred = blurred / blurred.flatten(1).std(1)[:, None, None]
        share = torch.rand(count, generator=generator)[:, None, None]
        mixed = share * blurred + (1 - share) * torch.randn(count, height, width, generator=generator)
        mixed = mixed + mixed.cumsum(2) / width  # unlike across and down
        return mixed / mixed.flatten(1).std(1, correction=0)[:, None, None]

    def scaled(images, times):  # to variances of so many times the least one
        return images * (least * torch.as_tensor(times)).sqrt()[:, None, None] + 0.3

    yield Case((scaled(draw(6, 8, 5), [2.0, 3, 5, 9, 20, 2.5]),))
    yield Case((scaled(draw(4, 5, 9), [30.0, 4, 2, 7]),))
    yield Case((scaled(draw(5, 7, 7), [50.0, 8, 3, 2, 15]),))
    yield Case((scaled(draw(5, 6, 8), [4.0, 1.04, 0.96, 0.3, 0.96]),), edge="images with hardly any variance")


def smooth_numbers(generator):
    step = int(torch.randint(0, 30, (), generator=generator))
    return {"least": float(f"{1e-4 * 1.25**step:.2g}")}


SMOOTHNESS = Exercise(
    id="03.4",
    title="Smoothness of weight images",
    reference=smoothness,
    cases=smooth_cases,
    points=4,
    core=3,
    rtol=1e-3,
    atol=1e-4,
    numbers=smooth_numbers,
    told={"least": "the least variance that is not too small"},
    alternatives=(unit_by_unit,),
    misconceptions=(
        Misconception(
            only_across,
            "You compare each pixel with the one beside it only. The one below it is a neighbour, too.",
        ),
        Misconception(
            only_down,
            "You compare each pixel with the one below it only. The one beside it is a neighbour, too.",
        ),
        Misconception(
            from_edge_to_edge,
            "You also compare the pixels of one edge with those of the opposite edge, which are not neighbours: "
            "rolling wraps around.",
        ),
        Misconception(
            rows_joined_to_one_line,
            "You made one long line of the image first. In it the end of a row stands next to the start of the next "
            "one, and nothing stands above or below anything.",
        ),
        Misconception(
            two_means_averaged,
            "You take a mean for each direction, and then the mean of both. All pairs count the same, and an image "
            "that is not square has more pairs in one direction than in the other.",
        ),
        Misconception(
            the_two_is_missing,
            "Independent pixels should score about 0; yours score about -1. The squared difference of two independent "
            "numbers is, on average, twice their variance.",
        ),
        Misconception(
            sizes_not_squares,
            "You average the sizes of the differences. The variance is made of squares, so the differences must be "
            "squared as well, or the score changes with the scale of the weights.",
        ),
        Misconception(
            roughness_not_smoothness,
            "Your score is high where the image is rough. Look for the 1 in the formula.",
        ),
        Misconception(
            standard_deviation,
            "You divide by the standard deviation. Squared differences must be compared with the variance, else the "
            "score changes with the scale of the weights.",
        ),
        Misconception(
            one_variance_for_all,
            "You use one variance for all images together. Each hidden unit is measured on its own scale: take the "
            "variance over the pixels of each image.",
        ),
        Misconception(
            divided_by_one_less,
            "Your variance divides by one less than the number of pixels, PyTorch's habit for a sample. The image is "
            "all there is: divide by their number.",
        ),
        Misconception(
            faint_images_scored,
            "You score images with hardly any variance, which show no more than how the weights were initialised. The "
            "text says what they get.",
        ),
    ),
)
