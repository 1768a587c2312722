"""FERMI: punish predictions that tell the group."""

import torch
import torch.nn.functional as F
from torch import Tensor

from course_lib.mitigation.methods.base import Method, Setting
from course_lib.training import Batch


class FERMI(Method):
    """Cross-entropy + lam psi, with the exponential Renyi mutual information psi of prediction and group.

    psi = sum_{s, j} P(yhat = j, s)^2 / (P(yhat = j) P(s)) - 1, which is 0 if and only if yhat and s = b are
    independent; P(yhat) is the softmax. With ``odds`` = 1 it is taken among the samples of each label and averaged
    with P(y): equalized odds in place of demographic parity. Estimated on the batch, which is biased where a batch
    has few samples of a group; the paper's min-max form, which is not, is left out.
    """

    title = "Fair empirical risk minimisation"
    idea = "Punish predictions from which the group can be told."
    source = "Lowy, Baharlouei, Pavan, Razaviyayn, Beirami 2022 (arXiv 2102.12586)"
    knows = "bias labels"
    settings = (
        Setting("lam", 2.0, 0.0, 100.0, "weight of the dependence"),
        Setting("odds", 1, 0, 1, "1: among samples with the same label (equalized odds); 0: demographic parity"),
    )

    def loss(self, batch: Batch) -> Tensor:
        logits = self.network(batch.x)
        p = torch.softmax(logits, 1)
        s = F.one_hot(batch.b, self.data.values).to(p.dtype)
        if self.odds < 0.5:
            psi = dependence(p, s)
        else:
            strata = [batch.y == label for label in batch.y.unique()]
            psi = sum(stratum.float().mean() * dependence(p[stratum], s[stratum]) for stratum in strata)
        return F.cross_entropy(logits, batch.y) + self.lam * psi


def dependence(p: Tensor, s: Tensor) -> Tensor:
    """Return psi of predictions ``p`` [B, J] and groups ``s`` [B, S] (shares, which sum to 1 in each row)."""
    joint = s.T @ p / len(p)  # P(s, yhat = j)
    expected = s.mean(0)[:, None] * p.mean(0)
    return (joint.square() / expected.clamp(min=1e-12)).sum() - 1
