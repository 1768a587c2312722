"""SD: keep the logits small, so that no single feature can silence the others."""

import torch
import torch.nn.functional as F
from torch import Tensor

from course_lib.mitigation.methods.base import Method, Setting
from course_lib.training import Batch


class SD(Method):
    """Spectral decoupling: CE + lam / 2 * (f_y - gamma)^2, with f_y the logit of the true class."""

    title = "Spectral decoupling"
    idea = "Punish large logits: a feature that is learned fast then cannot starve the others."
    source = "Pezeshki, Kaba, Bengio, Courville, Precup, Lajoie 2021 (arXiv 2011.09468), section 3"
    settings = (
        Setting("lam", 1e-3, 0.0, 10.0, "weight of the penalty"),
        Setting("gamma", 1e-3, -10.0, 10.0, "the logit that is not punished"),
    )

    def loss(self, batch: Batch) -> Tensor:
        logits = self.network(batch.x)
        true = logits.gather(1, batch.y[:, None]).squeeze(1)
        return F.cross_entropy(logits, batch.y) + self.lam / 2 * torch.mean((true - self.gamma) ** 2)
