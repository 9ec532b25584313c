"""Steps of gradient ascent, against torch's Adam."""

import torch

from clearance.certificates.ascent import ADAM, Moments


def test_it_goes_where_adam_goes():
    draw = torch.Generator().manual_seed(0)
    gradients = torch.randn(12, 5, generator=draw, dtype=torch.float64)
    leaf, moments = torch.zeros(5, dtype=torch.float64, requires_grad=True), Moments()
    adam = torch.optim.Adam([leaf], lr=0.3, betas=ADAM[:2], eps=ADAM[2], maximize=True)
    at = torch.zeros(5, dtype=torch.float64)
    for gradient in gradients:
        leaf.grad = gradient.clone()
        adam.step()
        at = at + 0.3 * moments.direction(gradient)
        assert torch.allclose(leaf.detach(), at, rtol=1e-9)


def test_the_first_step_is_a_sign():
    found = Moments().direction(torch.tensor([3.0, -1e-3, 0.0]))
    assert torch.allclose(found, torch.tensor([1.0, -1.0, 0.0]), atol=1e-6)
