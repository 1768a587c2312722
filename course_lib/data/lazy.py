"""Pictures that are made when somebody first looks at them: a batch at a time, so that nobody waits for all."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor


class LazyPictures:
    """N pictures, uint8 [C, H, W] each, read like a tensor; one is made when it is first read, and then kept.

    pictures: uint8 [N, C, H, W], where they are kept; missing: bool [N], which of them are not there yet;
    make: a function from int64 indices [M] to those pictures, uint8 [M, C, H, W], always the same ones. Several
    threads may read at once: at worst each of them makes a picture. For all as one tensor: ``pictures[:]``.
    """

    def __init__(self, pictures: Tensor, missing: Tensor, make: Callable[[Tensor], Tensor]):
        self._pictures, self._missing = pictures, missing
        self._make: Callable[[Tensor], Tensor] | None = make  # None, and its memory free, once all are made

    def __len__(self) -> int:
        return len(self._missing)

    @property
    def shape(self) -> torch.Size:
        return self._pictures.shape

    @property
    def dtype(self) -> torch.dtype:
        return self._pictures.dtype

    def __getitem__(self, index: Tensor | slice | int) -> Tensor:
        """Return the pictures at ``index``, uint8 [M, C, H, W]; they are not to be written into."""
        make = self._make
        if make is not None:
            wanted = torch.arange(len(self))[index].reshape(-1).unique()
            new = wanted[self._missing[wanted]]
            if len(new):
                self._pictures[new] = make(new)
                self._missing[new] = False  # only now: another thread takes it at its word
            if not self._missing.any():
                self._make = None
        return self._pictures[index]

    def making(self, part: int = 200) -> Iterator[Tensor]:
        """Make all that are missing, ahead of time; yield part after part of the pictures."""
        for start in range(0, len(self), part):
            yield self[start : start + part]

    def so_far(self) -> tuple[Tensor, Tensor]:
        """Return copies of the pictures, uint8 [N, C, H, W], and of which are not there yet, bool [N]."""
        missing = self._missing.clone()  # first, so that whatever comes meanwhile is drawn once more, not left out
        return self._pictures.clone(), missing
