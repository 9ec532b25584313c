"""Adam against PyTorch's."""

import torch

from clearance.attacks.adam import Adam


def test_the_same_path_as_torch_on_a_quadratic():
    scale = torch.tensor([1.0, 10.0, 0.1], dtype=torch.float64)
    theirs = torch.tensor([3.0, -2.0, 1.0], dtype=torch.float64, requires_grad=True)
    ours, adam = theirs.detach().clone(), Adam(theirs.detach())
    optimiser = torch.optim.Adam([theirs], lr=0.05)
    for _ in range(50):
        optimiser.zero_grad()
        (scale * theirs.square()).sum().backward()
        optimiser.step()
        ours = ours - 0.05 * adam.direction(2 * scale * ours)
    assert torch.allclose(ours, theirs.detach(), rtol=1e-12)
