"""Randomness from explicit seeds: the same seed and content give the same stream, whatever else is running."""

import hashlib

import torch
from torch import Tensor

from clearance.errors import InputError


def content_key(x: Tensor) -> str:
    """Digest of one input's shape, dtype and values (hex), the same on every device."""
    data = x.detach().cpu().contiguous()
    digest = hashlib.blake2b(f"{tuple(data.shape)} {data.dtype} ".encode(), digest_size=16)
    digest.update(data.numpy().tobytes())
    return digest.hexdigest()


def check_seed(seed: int) -> int:
    """The seed itself, if it is a whole number.

    Raises:
        InputError: If it is none.
    """
    if isinstance(seed, bool) or not isinstance(seed, int):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise InputError(f"seed: expected a whole number, got {seed!r}")
    return seed


def derive_seed(seed: int, *keys: object) -> int:
    """A 63-bit seed that depends on `seed` and on every key.

    Args:
        seed: The user's seed, any whole number.
        *keys: What the stream is for: strings, numbers, digests. Their `repr` is hashed.

    Returns:
        A number in [0, 2^63).

    Raises:
        InputError: If the seed is not a whole number.

    >>> derive_seed(0, "uniform", 1) == derive_seed(0, "uniform", 1)
    True
    >>> derive_seed(0, "uniform", 1) == derive_seed(0, "uniform", 2)
    False
    """
    digest = hashlib.blake2b(repr((check_seed(seed), *keys)).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1


def make_generator(device: torch.device | str, seed: int, *keys: object) -> torch.Generator:
    """A fresh generator on `device`, seeded by `derive_seed(seed, *keys)`."""
    return torch.Generator(device=device).manual_seed(derive_seed(seed, *keys))
