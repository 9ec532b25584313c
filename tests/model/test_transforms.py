"""Transforms at points worked out by hand; `bpda` and `eot` against the gradients that they promise."""

import copy
import io

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional

from clearance import Classifier, InputError, ShapeError, bpda, eot, transforms
from clearance.model.gradients import margin_gradients
from clearance.model.transforms import (
    BitDepth,
    GaussianNoise,
    Jpeg,
    Ramp,
    RandomCropResize,
    RandomDrop,
    Staircase,
    identity,
)
from clearance.model.transforms.randomised import common_draws

DRAWERS = {
    "noise": lambda seed=0: GaussianNoise(0.3, seed=seed),
    "drop": lambda seed=0: RandomDrop(0.4, seed=seed),
    "crop": lambda seed=0: RandomCropResize(0.5, seed=seed),
}
EVERY = {**DRAWERS, "stairs": lambda: Staircase(7), "ramp": lambda: Ramp(7, 0.2), "jpeg": lambda: Jpeg(60)}
EVERY["bits"] = lambda: BitDepth(3)
each_drawer = pytest.mark.parametrize("make", DRAWERS.values(), ids=DRAWERS)


def images(count: int = 3, *, channels: int = 1, side: int = 6, dtype: torch.dtype = torch.float32) -> Tensor:
    generator = torch.Generator().manual_seed(count + 10 * channels + 100 * side)
    return torch.rand(count, channels, side, side, generator=generator, dtype=dtype)


def gradient(function, x: Tensor) -> Tensor:
    leaf = x.clone().requires_grad_(True)
    return torch.autograd.grad(function(leaf).sum(), leaf)[0]


def row(*values: float) -> Tensor:
    return torch.tensor([values], dtype=torch.float64)


# Steps --------------------------------------------------------------------------------------------------------------


def test_staircase_rounds_up_and_passes_no_gradient():
    x = row(-0.3, 0.0, 0.2, 0.25, 0.251, 1.0)
    assert Staircase(4)(x).tolist() == [[-0.25, 0.0, 0.25, 0.25, 0.5, 1.0]]
    assert gradient(Staircase(4), x).eq(0).all()


def test_ramp_climbs_within_its_width_and_equals_the_staircase_beyond():
    x = row(-0.24, 0.0, 0.01, 0.05, 0.06, 0.25, 0.26)  # ramps of 0.05 from every multiple of 0.25
    expected = row(-0.25 + 0.05, 0.0, 0.05, 0.25, 0.25, 0.25, 0.3)
    torch.testing.assert_close(Ramp(4, 0.2)(x), expected, rtol=0, atol=1e-12)
    torch.testing.assert_close(gradient(Ramp(4, 0.2), row(0.01, 0.2)), row(5.0, 0.0), rtol=0, atol=1e-12)
    assert gradient(Ramp(4, 0.2), row(-0.25, 0.0, 0.25, 1.0)).eq(0).all()  # from the left at a ramp's foot
    u = torch.linspace(0, 1, 10_001, dtype=torch.float64)[None] + 1e-6
    flat = (u * 255).frac() > 0.2
    assert torch.equal(Ramp(255, 0.2)(u)[flat], Staircase(255)(u)[flat])
    assert (Ramp(255, 0.2)(u)[~flat] < Staircase(255)(u)[~flat]).all()


@pytest.mark.parametrize("width", [1.0, 0.2, 0.02, 0.002])
def test_the_gradient_of_a_ramp_is_met_as_often_as_it_is_wide_and_integrates_to_the_function(width: float):
    u = torch.rand(1, 200_000, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    slopes = gradient(Ramp(255, width), u)
    met = slopes != 0
    torch.testing.assert_close(slopes[met], torch.full_like(slopes[met], 1 / width))
    assert abs(met.double().mean() - width) < 5 * (width * (1 - width) / u.numel()) ** 0.5 + 1e-9
    assert abs(slopes.mean() - 1) < 5 * ((1 - width) / width / u.numel()) ** 0.5 + 1e-9  # h(1) - h(0) = 1


def test_a_ramp_is_continuous_and_its_steepest_chord_is_one_over_its_width():
    u = torch.linspace(0, 1, 100_001, dtype=torch.float64)[None]
    chords = Ramp(10, 0.1)(u).diff() / u.diff()
    assert chords.min() >= 0 and abs(chords.max() - 10) < 1e-6


def test_a_ramp_over_the_whole_stair_is_the_identity():
    x = row(-0.7, 0.0, 0.123, 0.9)
    torch.testing.assert_close(Ramp(255, 1.0)(x), x, rtol=0, atol=1e-15)
    assert gradient(Ramp(255, 1.0), x).sub(1).abs().max() < 1e-12


@pytest.mark.parametrize("bits", range(1, 9))
def test_bit_depth_clears_the_lower_bits_of_every_pixel_value(bits: int):
    pixels = torch.arange(256)
    kept = pixels & (0xFF << (8 - bits))
    assert torch.equal(BitDepth(bits)(pixels[None] / 255), kept[None] / 255)
    shifted = BitDepth(bits, bounds=(-1, 3))(pixels[None].double() / 255 * 4 - 1)
    torch.testing.assert_close(shifted, kept[None].double() / 255 * 4 - 1)


def test_bit_depth_rounds_saturates_and_passes_no_gradient():
    x = row(-0.5, 31.6 / 255, 31.4 / 255, 1.5)
    torch.testing.assert_close(BitDepth(3)(x), row(0, 32, 0, 224) / 255)
    assert gradient(BitDepth(3), x).eq(0).all()


# JPEG ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("channels", "mode"), [(1, "L"), (3, "RGB")])
@pytest.mark.parametrize("quality", [1, 50, 95])
def test_jpeg_is_what_pillow_reads_back(channels: int, mode: str, quality: int):
    x = images(2, channels=channels, side=19)
    for image, found in zip(x, Jpeg(quality)(x), strict=True):
        levels = (image * 255).round().byte().permute(1, 2, 0).numpy()
        picture = Image.fromarray(levels[:, :, 0] if channels == 1 else levels)
        assert picture.mode == mode
        file = io.BytesIO()
        picture.save(file, "JPEG", quality=quality)
        decoded = torch.from_numpy(np.array(Image.open(file)).reshape(19, 19, channels))
        assert torch.equal(found, decoded.permute(2, 0, 1) / 255)


def test_jpeg_keeps_units_saturates_and_loses_more_at_lower_quality():
    x = images(2, side=16)
    wide = Jpeg(50, bounds=(-2, 2))(x * 4 - 2)
    torch.testing.assert_close(wide, Jpeg(50)(x) * 4 - 2, rtol=0, atol=1e-6)
    assert torch.equal(Jpeg(50)(torch.full((1, 1, 8, 8), 7.0)), torch.ones(1, 1, 8, 8))
    losses = [(Jpeg(quality)(x) - x).norm() for quality in (5, 50, 95)]
    assert losses[0] > losses[1] > losses[2] > 0


@pytest.mark.parametrize("make", EVERY.values(), ids=EVERY)
def test_no_inputs_stay_no_inputs(make):
    assert make()(images(3)[:0]).shape == (0, 1, 6, 6)


def test_jpeg_passes_no_gradient():
    assert not Jpeg(50)(images().requires_grad_(True)).requires_grad


# Randomness ---------------------------------------------------------------------------------------------------------


@each_drawer
def test_passes_differ_and_a_restart_repeats_them(make):
    transform, x = make(), images()
    first, second = transform(x), transform(x)
    assert not torch.equal(first, second)
    transform.restart()
    assert torch.equal(transform(x), first) and torch.equal(transform(x), second)
    assert torch.equal(make()(x), first)
    assert not torch.equal(make(seed=1)(x), first)
    assert not torch.equal(first[0] - x[0], first[1] - x[1])  # every row has its own draw


@each_drawer
def test_streams_neither_read_nor_write_the_global_generator(make):
    x, found = images(), []
    for seed in (1, 2):
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            before = torch.get_rng_state()
            found.append(make()(x))
            assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(*found)


@each_drawer
def test_a_copy_goes_on_by_itself(make):
    transform, x = make(), images()
    transform(x)
    twin = copy.deepcopy(transform)
    assert torch.equal(twin(x), transform(x))


@each_drawer
def test_common_draws_are_the_same_for_every_row_and_leave_the_stream_alone(make):
    transform, x = make(), images()
    first = transform(x)
    with common_draws(0, 1):
        whole = transform(x)
        again = transform(x)
    with common_draws(0, 1):
        rows = [transform(part) for part in x.split(1)][:1]
    with common_draws(0, 2):
        other = transform(x)
    torch.testing.assert_close(whole[:1], rows[0])  # another batch size may sum in another order
    assert not torch.equal(whole, again) and not torch.equal(whole, other)
    same = x[:1].expand(3, -1, -1, -1)
    with common_draws(0, 1):
        assert (transform(same) - transform(same)[0]).abs().max() > 0  # a second layer draws anew
    with common_draws(0, 1):
        found = transform(same)
    torch.testing.assert_close(found, found[:1].expand_as(found))
    transform.restart()
    assert torch.equal(transform(x), first)


def test_noise_has_its_moments():
    noise = GaussianNoise(0.3)(torch.zeros(1, 100_000))
    assert abs(noise.mean()) < 5 * 0.3 / 100_000**0.5
    assert abs(noise.std() - 0.3) < 5 * 0.3 / 200_000**0.5


def test_drop_keeps_values_or_sets_them_to_zero_at_its_rate():
    x = torch.rand(1, 100_000, generator=torch.Generator().manual_seed(0)) + 1
    dropped = RandomDrop(0.2)(x)
    kept = dropped != 0
    assert torch.equal(dropped[kept], x[kept])
    assert abs((~kept).double().mean() - 0.2) < 5 * (0.16 / 100_000) ** 0.5


def test_a_crop_of_a_linear_image_is_a_window_of_that_line():
    side = 40
    across = torch.arange(side, dtype=torch.float64).expand(side, side)
    found = RandomCropResize(0.5, seed=3)(torch.stack([across, across.T])[None].expand(200, -1, -1, -1))
    for picture in (found[:, 0], found[:, 1].mT):
        line = picture[:, 0]
        assert torch.allclose(picture, line[:, None].expand_as(picture))  # nothing moves along the other axis
        inner = line.diff()[:, 2:-2]
        share = inner.mean(1)
        assert torch.allclose(inner, share[:, None].expand_as(inner)) and (share > 0.5).all() and (share < 1).all()
        assert abs(share.mean() - 0.75) < 5 * (0.5 / 12**0.5) / 200**0.5
        place = (line[:, side // 2 - 1 : side // 2 + 1].mean(1) + 0.5 - share * side / 2) / (side * (1 - share))
        assert place.min() > -1e-6 and place.max() < 1 + 1e-6  # the window's start, as a share of the free space
        assert abs(place.mean() - 0.5) < 5 / 12**0.5 / 200**0.5


def test_a_crop_does_not_change_what_is_constant_and_is_linear():
    crop = RandomCropResize(0.4)
    torch.testing.assert_close(crop(torch.full((4, 2, 5, 7), 0.3)), torch.full((4, 2, 5, 7), 0.3))
    x, y, found = images(), images(side=6).flip(0), []
    for z in (x, y, 2 * x + 3 * y):
        crop.restart()
        found.append(crop(z))
    torch.testing.assert_close(found[2], 2 * found[0] + 3 * found[1])


@pytest.mark.parametrize("name", ["noise", "drop", "crop", "ramp"])
def test_the_differentiable_ones_have_their_numerical_gradients(name: str):
    transform = EVERY[name]()

    def fixed(x: Tensor) -> Tensor:
        getattr(transform, "restart", int)()
        return transform(x)

    x = images(2, side=4, dtype=torch.float64).requires_grad_(True)
    assert torch.autograd.gradcheck(fixed, x) and torch.autograd.gradgradcheck(fixed, x)


# All ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_shape_and_dtype_are_kept(name: str, dtype: torch.dtype):
    x = images(2, channels=3, side=9, dtype=dtype)
    found = EVERY[name]()(x)
    assert found.shape == x.shape and found.dtype == dtype and found.isfinite().all()


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Staircase(0), "levels: expected a whole number of at least 1, got 0"),
        (lambda: Staircase(2.5), "levels: expected a whole number"),
        (lambda: Ramp(True, 0.5), "levels: expected a whole number"),
        (lambda: Ramp(255, 0.0), r"width: expected a share of a stair in \(0, 1\], got 0.0"),
        (lambda: Ramp(255, 1.1), "width: expected"),
        (lambda: Ramp(255, float("nan")), "width: expected"),
        (lambda: BitDepth(0), "bits: expected a whole number from 1 to 8, got 0"),
        (lambda: BitDepth(9), "bits: expected"),
        (lambda: BitDepth(3, bounds=(1, 0)), "bounds: expected two finite numbers, low < high"),
        (lambda: Jpeg(0), "quality: expected a whole number from 1 to 95, got 0"),
        (lambda: Jpeg(96), "quality: expected"),
        (lambda: Jpeg(75, bounds=(0, float("inf"))), "bounds: expected"),
        (lambda: RandomDrop(0), "rate: expected a probability"),
        (lambda: RandomDrop(1.0), "rate: expected a probability"),
        (lambda: RandomCropResize(1.0), "smallest: expected a share"),
        (lambda: GaussianNoise(0), "sigma: expected a positive finite number"),
        (lambda: GaussianNoise(0.1, seed=0.5), "seed: expected a whole number"),
        (lambda: bpda(3), "transform: expected a module or a function, got int"),
        (lambda: bpda(torch.sin, backward="cos"), "backward: expected a module or a function, got str"),
        (lambda: eot(Classifier(nn.Linear(2, 2)), 0), "samples: expected a whole number of at least 1"),
        (lambda: eot(Classifier(nn.Linear(2, 2)), 2, seed="a"), "seed: expected a whole number"),
    ],
)
def test_misuse_says_what_was_expected(make, said: str):
    with pytest.raises(InputError, match=said):
        make()


@pytest.mark.parametrize("transform", [Jpeg(75), RandomCropResize(0.5)])
def test_images_are_asked_for(transform: nn.Module):
    with pytest.raises(ShapeError, match=f"{type(transform).__name__}: expected"):
        transform(torch.rand(2, 64))
    with pytest.raises(ShapeError, match="expected images"):
        Jpeg(75)(torch.rand(2, 2, 8, 8))


def test_their_text_shows_their_arguments():
    assert repr(Ramp(255, 0.2)) == "Ramp(levels=255, width=0.2)"
    assert repr(RandomDrop(0.1, seed=3)) == "RandomDrop(rate=0.1, seed=3)"


# BPDA ---------------------------------------------------------------------------------------------------------------


@pytest.fixture
def network() -> nn.Sequential:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(nn.Flatten(), nn.Linear(36, 16), nn.Tanh(), nn.Linear(16, 4)).double()


@pytest.mark.parametrize(
    "transform", [Staircase(5), BitDepth(2), Jpeg(20), torch.round], ids=["stairs", "bits", "jpeg", "round"]
)
def test_bpda_has_the_value_of_the_transform_and_the_networks_gradient_there(transform, network: nn.Module):
    x = images(dtype=torch.float64)
    behind = nn.Sequential(bpda(transform), network)
    assert torch.equal(behind(x), network(transform(x)))
    assert torch.equal(gradient(behind, x), gradient(network, transform(x)))  # Weng et al. 2018, equation 7


def test_bpda_pulls_gradients_through_its_stand_in_at_the_input():
    x, weight = images(dtype=torch.float64), images(dtype=torch.float64).flip(0)
    found = gradient(lambda z: weight * bpda(Staircase(5), backward=torch.sin)(z), x)
    torch.testing.assert_close(found, weight * x.cos(), rtol=1e-14, atol=0)
    assert torch.equal(gradient(bpda(Staircase(5), identity), x), torch.ones_like(x))


def test_bpda_differentiates_twice_and_forwards(network: nn.Module):
    x, direction = images(1, dtype=torch.float64), images(1, dtype=torch.float64).flip(2)
    front = bpda(Jpeg(50), backward=torch.sin)

    def value(z: Tensor) -> Tensor:
        return network(front(z))[:, 0].sum()

    leaf = x.clone().requires_grad_(True)
    (first,) = torch.autograd.grad(value(leaf), leaf, create_graph=True)
    (product,) = torch.autograd.grad((first * direction).sum(), leaf)
    assert product.abs().max() > 0
    torch.testing.assert_close(torch.func.grad(value)(x), first)
    torch.testing.assert_close(torch.func.jvp(torch.func.grad(value), (x,), (direction,))[1], product)
    torch.testing.assert_close(torch.func.jvp(front, (x,), (direction,))[1], x.cos() * direction)


@pytest.mark.parametrize("place", ["network", "preprocessing"])
def test_bpda_gives_a_classifier_its_gradients_back(network: nn.Module, place: str):
    x, stairs = images(dtype=torch.float64), Staircase(255)
    options = {"bounds": (0, 1), "dtype": torch.float64}
    if place == "network":
        masked, seen = (Classifier(nn.Sequential(s, network), **options) for s in (stairs, bpda(stairs)))
    else:
        masked, seen = (Classifier(network, preprocessing=s, **options) for s in (stairs, bpda(stairs)))
    predicted = masked.logits(x).argmax(1)
    target = (predicted + 1) % 4
    margin, blocked = margin_gradients(masked, x, predicted, target)
    same, found = margin_gradients(seen, x, predicted, target)
    _, expected = margin_gradients(Classifier(network), stairs(x), predicted, target)
    assert torch.equal(margin, same) and blocked.eq(0).all()
    torch.testing.assert_close(found, expected)


def test_bpda_moves_with_the_modules_that_it_holds():
    front = bpda(nn.Linear(3, 3), backward=nn.Linear(3, 3)).double()
    assert {p.dtype for p in front.parameters()} == {torch.float64} and len(list(front.parameters())) == 4


def test_bpda_refuses_a_stand_in_of_another_shape():
    with pytest.raises(ShapeError, match=r"backward to return the transform's shape \(2, 3\), got \(2, 1\)"):
        bpda(torch.round, backward=lambda x: x[:, :1])(torch.rand(2, 3))


# EOT ----------------------------------------------------------------------------------------------------------------


def dropout(x: Tensor) -> Tensor:
    return functional.dropout(x, 0.5, training=True)


RANDOM = {
    **DRAWERS,
    "dropout": lambda: dropout,
    "two layers": lambda: nn.Sequential(GaussianNoise(0.2), RandomDrop(0.2)),
}
each_random = pytest.mark.parametrize("make", RANDOM.values(), ids=RANDOM)


def averaged(front, network: nn.Module, samples: int, seed: int | None, **options) -> Classifier:
    model = Classifier(network, preprocessing=front, dtype=torch.float64, **options)
    return eot(model, samples, seed=seed)


@each_random
@pytest.mark.parametrize("seed", [None, 0])
def test_eot_averages_the_logits_and_the_gradients_of_its_draws(make, seed: int | None):
    """Each draw is watched from within: the average is that of what the network itself saw and returned."""
    seen: list[Tensor] = []
    weight = images(4, dtype=torch.float64).flatten(1)

    def watched(x: Tensor) -> Tensor:
        seen.append(x.detach())
        return x.flatten(1).sin() @ weight.T

    front, x = make(), images(1, dtype=torch.float64)
    model = averaged(front, watched, 6, seed, micro_batch=100)
    logits, _, pull = model.vjp(x, lambda z: z[:, :1])
    assert len(seen) == 6 and len({part.sum().item() for part in seen}) == 6
    torch.testing.assert_close(logits, torch.stack([z.flatten(1).sin() @ weight.T for z in seen]).mean(0))
    if isinstance(front, GaussianNoise):  # d(x + noise)/dx = 1
        torch.testing.assert_close(pull(0), torch.stack([weight[0].reshape(x.shape) * z.cos() for z in seen]).mean(0))


@each_random
def test_a_seeded_average_is_one_function_of_the_input(make, network: nn.Module):
    x = images(4, dtype=torch.float64)
    model = averaged(make(), network, 3, seed=5)
    logits = model.logits(x)
    assert torch.equal(model.logits(x), logits)
    torch.testing.assert_close(torch.cat([model.logits(row) for row in x.split(1)]), logits)  # whatever the batch
    torch.testing.assert_close(model.logits(x.flip(0)).flip(0), logits)
    torch.testing.assert_close(averaged(make(), network, 3, seed=5).logits(x), logits)
    assert (averaged(make(), network, 3, seed=6).logits(x) - logits).abs().max() > 1e-6


@each_random
def test_the_gradient_of_a_seeded_average_integrates_to_it(make, network: nn.Module):
    """By differences: central ones of the same average, in float64."""
    x = images(3, dtype=torch.float64)
    model = averaged(make(), network, 4, seed=1)
    _, found = margin_gradients(model, x, 0, 1)
    step, direction = 1e-6, images(3, dtype=torch.float64).flip(0)
    ahead, behind = (margin_gradients(model, x + sign * step * direction, 0, 1)[0] for sign in (1, -1))
    torch.testing.assert_close(
        (found * direction).flatten(1).sum(1), (ahead - behind) / (2 * step), rtol=1e-6, atol=1e-7
    )


@each_random
def test_a_fresh_average_differs_in_every_pass(make, network: nn.Module):
    x, model = images(dtype=torch.float64), averaged(make(), network, 3, seed=None)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        assert (model.logits(x) - model.logits(x)).abs().max() > 1e-6


@each_random
def test_a_seeded_average_leaves_every_generator_as_it_was(make, network: nn.Module):
    x, front = images(dtype=torch.float64), make()
    before = torch.get_rng_state()
    averaged(front, network, 3, seed=0).logits(x)
    assert torch.equal(torch.get_rng_state(), before)
    if isinstance(front, transforms.RandomTransform):
        assert torch.equal(front(x), make()(x))


@pytest.mark.parametrize("seeded", [False, True])
@pytest.mark.thinned(2)
def test_the_variance_falls_as_one_over_the_samples(seeded: bool):
    """Linear logits of x + noise: a logit's variance is `sigma² ||w||² / samples`, exactly."""
    weight, x, repeats = images(2, dtype=torch.float64).flatten(1), images(1, dtype=torch.float64), 400
    classifier = Classifier(
        lambda z: z.flatten(1) @ weight.T, preprocessing=GaussianNoise(0.3), dtype=torch.float64, micro_batch=100
    )
    for samples in (1, 4, 16):
        models = (eot(classifier, samples, seed=seed if seeded else None) for seed in range(repeats))
        found = torch.stack([model.logits(x)[0, 0] for model in models])
        expected = 0.09 * weight[0].square().sum() / samples
        assert abs(found.var() / expected - 1) < 5 * (2 / repeats) ** 0.5


@each_random
@pytest.mark.parametrize("seed", [None, 0])
def test_passes_are_counted_as_often_as_they_happen(make, seed: int | None, network: nn.Module):
    calls, x = 0, images(4, dtype=torch.float64)

    def counted(z: Tensor) -> Tensor:
        nonlocal calls
        calls += len(z)
        return network(z)

    model = averaged(make(), counted, 7, seed)
    model.logits(x)
    calls, before = 0, model.meter.read()
    _, _, pull = model.vjp(x, lambda z: z[:, :2])
    pull(0), pull(1)
    spent = model.meter.since(before)
    assert (spent.forward, spent.backward) == (7 * 4, 2 * 7 * 4) and calls == spent.forward
    before = model.meter.read()
    _, _, product = model.hessian(x, lambda z: z[:, 0])
    product(x)
    spent = model.meter.since(before)
    assert (spent.forward, spent.backward, spent.hessian_vector) == (7 * 4, 7 * 4, 7 * 4)


def test_the_average_shares_network_bounds_and_count(network: nn.Module):
    low, high = torch.zeros(1, 6, 6), torch.ones(1, 6, 6)
    classifier = Classifier(network, (low, high), preprocessing=GaussianNoise(0.1), micro_batch=8)
    model = eot(classifier, 4)
    assert model.network is classifier.network and model.meter is classifier.meter and model.dtype == torch.float64
    assert torch.equal(model.bounds[1], high) and model.micro_batch(images()) == 2


def test_the_average_of_a_classifier_without_randomness_is_that_classifier(network: nn.Module):
    classifier, x = Classifier(network), images(dtype=torch.float64)
    for seed in (None, 0):
        torch.testing.assert_close(eot(classifier, 3, seed=seed).logits(x), classifier.logits(x))


def test_a_hidden_transform_is_reached(network: nn.Module):
    """In a plain function there is no module to find it by."""
    noise, x = GaussianNoise(0.3), images(dtype=torch.float64)
    model = eot(Classifier(lambda z: network(noise(z)), dtype=torch.float64), 2, seed=0)
    assert torch.equal(model.logits(x), model.logits(x))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("name", EVERY)
def test_on_a_device(name: str, network: nn.Module):
    x = images(4, dtype=torch.float64).cuda()
    assert EVERY[name]()(x).device == x.device
    model = eot(Classifier(nn.Sequential(EVERY[name](), network), device="cuda"), 3, seed=0)
    assert torch.equal(model.logits(x), model.logits(x))
