"""Augmentations of a batch of images: pure functions in which every image has its own draw.

All take x, float [B, C, H, W] in 0..1 with background 0, a `torch.Generator` and an amount, and return new
images of the same form; amount 0 returns x itself. Random numbers are drawn where the generator lives and
moved to where x is, so that a CPU generator gives the same images on a GPU. Nothing ever wraps around: what
leaves the picture is gone, and background comes in.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from course_lib.errors import CourseError, require_integer, require_number

MAX_RATIO = 1 / 0.3  # of an erased rectangle's sides, as in Zhong et al.


def require_images(x: Tensor) -> None:
    """Raise `CourseError` unless x is a batch of images: float [B, C, H, W]."""
    if not (isinstance(x, Tensor) and x.ndim == 4 and x.is_floating_point()):
        got = f"a tensor of {x.dtype} with shape {list(x.shape)}" if isinstance(x, Tensor) else repr(x)[:60]
        raise CourseError(f"x must be images, decimal numbers of shape [B, C, H, W]; it was {got}.")


def uniform(x: Tensor, generator: Generator, low: float, high: float, *shape: int) -> Tensor:
    """Return numbers from low to high for each image, float [B, *shape], on x's device."""
    draws = torch.rand(len(x), *shape, generator=generator, device=generator.device)
    return (low + (high - low) * draws).to(x.device, x.dtype)


# Given how far


def shift(x: Tensor, dx: Tensor, dy: Tensor) -> Tensor:
    """Move each image dx pixels to the right and dy down (int64 [B], negative: left and up).

    Zeros come in, and what leaves the picture is gone. Taught in: notebook 03.
    """
    require_images(x)
    height, width = x.shape[2:]
    rows = torch.arange(height, device=x.device) - dy.to(x.device)[:, None]
    columns = torch.arange(width, device=x.device) - dx.to(x.device)[:, None]
    inside = ((rows >= 0) & (rows < height))[:, :, None] & ((columns >= 0) & (columns < width))[:, None, :]
    source = rows.clamp(0, height - 1)[:, :, None] * width + columns.clamp(0, width - 1)[:, None, :]
    moved = x.flatten(2).gather(2, source.flatten(1)[:, None].expand(-1, x.shape[1], -1))
    return moved.view(x.shape) * inside[:, None]


def turn(x: Tensor, degrees: Tensor, factor: Tensor | float = 1.0) -> Tensor:
    """Turn each image counter-clockwise by its angle, and enlarge it by its factor, about the centre.

    degrees: float [B]; factor: float [B] or one number > 0. Bilinear; zeros come in. Taught in: notebook 03.
    """
    require_images(x)
    if not len(x):  # which grid_sample would refuse
        return x.clone()
    height, width = x.shape[2:]
    angle = torch.deg2rad(degrees.to(x.device, x.dtype))
    factor = torch.as_tensor(factor, device=x.device, dtype=x.dtype)
    cos, sin, zero = angle.cos() / factor, angle.sin() / factor, torch.zeros_like(angle)
    # Where each output pixel comes from, in units of half the width and height.
    rows = [torch.stack([cos, -sin * height / width, zero], 1), torch.stack([sin * width / height, cos, zero], 1)]
    grid = F.affine_grid(torch.stack(rows, 1), list(x.shape), align_corners=False)
    return F.grid_sample(x, grid, align_corners=False)


# With a random amount


def gaussian(x: Tensor, generator: Generator, sd: float) -> Tensor:
    """Add normal noise of standard deviation sd to every pixel; the sum is cut off at 0 and 1.

    Taught in: notebook 03.
    """
    require_images(x)
    if not (sd := require_number("sd", sd, 0)):
        return x
    noise = torch.randn(x.shape, generator=generator, device=generator.device)
    return (x + sd * noise.to(x.device, x.dtype)).clamp_(0, 1)


def laplacian(x: Tensor, generator: Generator, sd: float) -> Tensor:
    """Add Laplacian noise of standard deviation sd to every pixel; the sum is cut off at 0 and 1.

    Its density is exp(-|n| / b) / (2 b) with b = sd / sqrt(2): more often near 0 and more often far away than
    normal noise. Drawn as the inverse of its distribution function at uniform numbers. Taught in: notebook 03.
    """
    require_images(x)
    if not (sd := require_number("sd", sd, 0)):
        return x
    u = uniform(x, generator, -0.5, 0.5, *x.shape[1:])
    # torch.rand can give 0 and so u = -0.5, whose noise would be infinite.
    size = torch.log1p(-(2 * u.abs()).clamp_(max=1 - 2**-24))
    return (x - sd / math.sqrt(2) * u.sign() * size).clamp_(0, 1)


def flip_horizontal(x: Tensor, generator: Generator, probability: float) -> Tensor:
    """Exchange left and right in each image with this probability. Taught in: notebook 03."""
    return _flip(x, generator, probability, 3)


def flip_vertical(x: Tensor, generator: Generator, probability: float) -> Tensor:
    """Turn each image upside down, as in a mirror on the floor, with this probability. Taught in: notebook 03."""
    return _flip(x, generator, probability, 2)


def _flip(x: Tensor, generator: Generator, probability: float, axis: int) -> Tensor:
    require_images(x)
    if not (probability := require_number("probability", probability, 0, 1)):
        return x
    chosen = uniform(x, generator, 0, 1) < probability
    return torch.where(chosen[:, None, None, None], x.flip(axis), x)


def rotate(x: Tensor, generator: Generator, degrees: float) -> Tensor:
    """Turn each image by an angle from -degrees to degrees (0 to 180), all equally likely. See `turn`.

    Taught in: notebook 03.
    """
    require_images(x)
    if not (degrees := require_number("degrees", degrees, 0, 180)):
        return x
    return turn(x, uniform(x, generator, -degrees, degrees))


def scale(x: Tensor, generator: Generator, share: float) -> Tensor:
    """Enlarge or shrink each image by a factor from 1 / (1 + share) to 1 + share, uniform in its logarithm.

    Taught in: notebook 03.
    """
    require_images(x)
    if not (share := require_number("share", share, 0, 10)):
        return x
    most = math.log1p(share)
    factor = uniform(x, generator, -most, most).exp()
    return turn(x, torch.zeros_like(factor), factor)


def translate(x: Tensor, generator: Generator, pixels: int) -> Tensor:
    """Move each image by whole pixels, -pixels to pixels both ways, all equally likely. See `shift`.

    Taught in: notebook 03.
    """
    require_images(x)
    if not (pixels := require_integer("pixels", pixels, 0, max(x.shape[2:]))):
        return x
    steps = torch.randint(-pixels, pixels + 1, (2, len(x)), generator=generator, device=generator.device)
    return shift(x, *steps)


def erase(x: Tensor, generator: Generator, share: float) -> Tensor:
    """Set a random rectangle of each image to 0; its area is up to ``share`` of the image's, uniformly.

    Its sides' ratio is 0.3 to 3.3, uniform in the logarithm; it lies wholly inside the image, and rounding to
    whole pixels may leave nothing of a small one. Source: Zhong et al., Random Erasing, arXiv 1708.04896, who
    fill it with noise; here it is background. Taught in: notebook 03.
    """
    require_images(x)
    if not (share := require_number("share", share, 0, 1)):
        return x
    area = uniform(x, generator, 0, share)
    ratio = uniform(x, generator, -math.log(MAX_RATIO), math.log(MAX_RATIO)).exp()
    hit = []
    for length, part in ((x.shape[2], (area * ratio).sqrt()), (x.shape[3], (area / ratio).sqrt())):
        side = (part * length).round().clamp_(max=length)
        start = (uniform(x, generator, 0, 1) * (length - side + 1)).floor()
        place = torch.arange(length, device=x.device)
        hit.append((place >= start[:, None]) & (place < (start + side)[:, None]))
    return x * ~(hit[0][:, None, :, None] & hit[1][:, None, None, :])
