"""03.5: Laplacian noise from uniform numbers."""

import torch

from course_lib.augmentation import trials
from course_lib.grading.exercise import Exercise, Misconception
from course_lib.grading.plain import Seed
from course_lib.grading.sheet import Case


def add_laplacian(x, generator, *, sd=0.2):
    """Return the images with Laplacian noise added to every pixel.

    x: float [B, H, W]; generator: a torch.Generator for all that is random.
    Returns float [B, H, W], not cut off at 0 and 1.
    """
    u = torch.rand(x.shape, generator=generator) - 0.5
    b = sd / 2**0.5
    return x - b * u.sign() * (1 - 2 * u.abs()).clamp(min=1e-7).log()


def difference_of_two_exponentials(x, generator, *, sd=0.2):
    first, second = torch.rand(2, *x.shape, generator=generator).clamp(min=1e-7)
    return x + sd / 2**0.5 * (first.log() - second.log())


def exponential_with_a_sign(x, generator, *, sd=0.2):
    sign = torch.randint(2, x.shape, generator=generator) * 2 - 1
    return x + sign * torch.empty(x.shape).exponential_(2**0.5 / sd, generator=generator)


def gaussian_noise(x, generator, *, sd=0.2):
    return x + sd * torch.randn(x.shape, generator=generator)


def uniform_noise(x, generator, *, sd=0.2):
    return x + sd * 12**0.5 * (torch.rand(x.shape, generator=generator) - 0.5)


def sd_is_taken_for_b(x, generator, *, sd=0.2):
    return add_laplacian(x, generator, sd=sd * 2**0.5)


def root_on_the_wrong_side(x, generator, *, sd=0.2):
    return add_laplacian(x, generator, sd=sd * 2)


def only_upwards(x, generator, *, sd=0.2):
    return x - sd / 2**0.5 * (1 - torch.rand(x.shape, generator=generator)).log()


def one_noise_for_the_batch(x, generator, *, sd=0.2):
    return x + add_laplacian(torch.zeros(1, *x.shape[1:]), generator, sd=sd)


def one_number_for_an_image(x, generator, *, sd=0.2):
    return x + add_laplacian(torch.zeros(len(x), 1, 1), generator, sd=sd)


def cut_off_at_0_and_1(x, generator, *, sd=0.2):
    return add_laplacian(x, generator, sd=sd).clamp(0, 1)


def noise_without_the_image(x, generator, *, sd=0.2):
    return add_laplacian(torch.zeros_like(x), generator, sd=sd)


def noise_cases(generator, *, sd):
    seeds = torch.randint(2**31, (4,), generator=generator).tolist()

    def draw(batch):
        return torch.rand(batch, 24, 20, generator=generator)

    first = draw(120)
    yield Case((first, Seed(seeds[0])))
    yield Case((first, Seed(seeds[0])))  # the same again: must be answered equally
    yield Case((draw(140), Seed(seeds[1])))
    yield Case((draw(0), Seed(seeds[2])), edge="an empty batch")


def noise_numbers(generator):
    return {"sd": round(0.05 * 1.08 ** int(torch.randint(0, 30, (), generator=generator)), 3)}


ADD_LAPLACIAN = Exercise(
    id="03.5",
    title="Laplacian noise",
    reference=add_laplacian,
    cases=noise_cases,
    points=3,
    core=2,
    summary=trials.noise_summary,
    rtol=0,
    atol=0.035,  # some five standard deviations of the difference of two right answers
    numbers=noise_numbers,
    told={"sd": "the standard deviation of the noise"},
    alternatives=(difference_of_two_exponentials, exponential_with_a_sign),
    misconceptions=(
        Misconception(
            gaussian_noise,
            "That is normal noise. Laplacian noise with the same standard deviation is more often tiny and more often "
            "huge: it takes a logarithm.",
        ),
        Misconception(
            uniform_noise,
            "That is uniform noise, with no large values at all. The uniform numbers are where it starts: they must "
            "still go through the inverse of the distribution function.",
        ),
        Misconception(
            sd_is_taken_for_b,
            "Your noise is too strong: you use the standard deviation as the scale b. The text says how the two are "
            "related.",
        ),
        Misconception(
            root_on_the_wrong_side,
            "Your noise is far too strong: you multiply by the root where you should divide by it. Which is larger, "
            "b or the standard deviation?",
        ),
        Misconception(
            only_upwards,
            "Your noise never makes a pixel darker: it is exponential, one half of a Laplacian. Where does the sign "
            "come from?",
        ),
        Misconception(
            one_noise_for_the_batch,
            "All images of your batch have the same noise. Draw one number for each pixel of each image.",
        ),
        Misconception(
            one_number_for_an_image,
            "Within an image all your pixels get the same noise, which only makes it darker or lighter. Draw one "
            "number for each pixel.",
        ),
        Misconception(
            cut_off_at_0_and_1,
            "You cut the result off at 0 and 1, which makes the noise smaller wherever the image is black or white. "
            "The text asks for the sum as it is.",
        ),
        Misconception(
            noise_without_the_image,
            "You return the noise alone. It is to be added to the images.",
        ),
    ),
)
