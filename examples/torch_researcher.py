"""Swap torch.nn for ostinato.nn in a small training script, and check that nothing else changes.

The script trains the same classifier twice, prints both losses, and goes through what a researcher does around it:
initial values, packed sequences, the exchange of checkpoints, gradcheck and the gradient of each sample.

Run: python examples/torch_researcher.py [training steps]
"""

from __future__ import annotations

import sys
from types import ModuleType

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits as bce
from torch.nn.utils.rnn import PackedSequence, pack_sequence

import ostinato


class Classifier(torch.nn.Module):
    """Tell whether the numbers of a sequence sum to more than zero."""

    def __init__(self, nn: ModuleType) -> None:
        super().__init__()
        self.rnn, self.out = nn.GRU(1, 16), torch.nn.Linear(16, 1)
        for module in self.modules():
            if isinstance(module, torch.nn.GRU):
                torch.nn.init.orthogonal_(module.weight_hh_l0)

    def forward(self, x: Tensor | PackedSequence) -> Tensor:
        """Return the score of each sequence, (B,)."""
        _, h = self.rnn(x)
        return self.out(h[-1])[..., 0]


def train(nn: ModuleType, steps: int) -> tuple[Classifier, float]:
    """Return the trained classifier and the loss on its last batch."""
    torch.manual_seed(0)
    model = Classifier(nn)
    optimiser, loss = torch.optim.Adam(model.parameters(), lr=0.01), torch.zeros(())
    for _ in range(steps):
        sequences = [torch.randn(int(n), 1) for n in torch.randint(2, 12, (32,))]
        labels = torch.stack([(s.sum() > 0).float() for s in sequences])
        scores = model(pack_sequence(sequences, enforce_sorted=False))
        loss = bce(scores, labels)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    return model, loss.item()


def sample_gradients(model: torch.nn.Module, x: Tensor, labels: Tensor) -> dict[str, Tensor]:
    """Return the gradient of the loss of each sample, (B, ...) for each parameter, in one vectorised pass.

    Args:
        model: The classifier.
        x: The sequences, (T, B, 1).
        labels: The label of each sequence, (B,).
    """
    weights = {name: w.detach() for name, w in model.named_parameters()}

    def loss(weights: dict[str, Tensor], x: Tensor, label: Tensor) -> Tensor:
        score = torch.func.functional_call(model, weights, x[:, None])
        return bce(score[0], label)

    each: dict[str, Tensor] = torch.vmap(torch.func.grad(loss), in_dims=(None, 1, 0))(weights, x, labels)
    return each


def main(steps: int) -> None:
    """Train both, and compare them."""
    theirs, true = train(torch.nn, steps)
    ours, loss = train(ostinato.nn, steps)
    print(f"loss after {steps} steps: torch.nn {true:.4f}, ostinato.nn {loss:.4f}")
    theirs.load_state_dict(ours.state_dict())
    x = torch.randn(7, 4, 1)
    print(f"checkpoint in torch.nn: largest difference {(theirs(x) - ours(x)).abs().max().item():.0e}")
    labels = (x.sum((0, 2)) > 0).float()
    each = sample_gradients(ours, x, labels)
    for i in range(len(labels)):  # torch.nn.GRU cannot be vectorised, so its gradients come one sample at a time
        score = theirs(x[:, i : i + 1])[0]
        right = torch.autograd.grad(bce(score, labels[i]), list(theirs.parameters()))
        off = max((mine[i] - g).abs().max().item() for mine, g in zip(each.values(), right, strict=True))
        norm = sum(g[i].square().sum().item() for g in each.values()) ** 0.5
        print(f"gradient of sample {i}: norm {norm:.4f}, difference from torch.nn {off:.0e}")
    net = ours.rnn.double()
    inputs = torch.randn(3, 2, 1, dtype=torch.float64, requires_grad=True)
    print("gradcheck:", torch.autograd.gradcheck(lambda x: net(x)[0], inputs))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200)
