"""The handwritten digits that come with scikit-learn (Alpaydin and Kaynak 1998): the set that is always there.

**Split.** Every fifth image (index 0, 5, 10, ...; 360 of 1,797) is for testing, the others for training.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from clearance.data.dataset import Source
from clearance.data.options import Options

GREY_LEVELS = 16.0
"""The largest grey level of the digits."""


def open_digits(_place: str, options: Options) -> Source:
    """Scikit-learn's 1,797 handwritten digits, 8 × 8, their grey levels 0 to 16 divided by 16.

    Args:
        _place: Nothing: they come with scikit-learn.
        options: `train` chooses the 1,437 training images instead of the 360 test images.

    Returns:
        Images of shape `(count, 1, 8, 8)` in [0, 1].
    """
    from sklearn.datasets import load_digits as load_bunch

    pixels, labels = load_bunch(return_X_y=True)
    images = np.asarray(pixels, dtype=np.float32).reshape(-1, 1, 8, 8) / np.float32(GREY_LEVELS)
    chosen = (np.arange(len(images)) % 5 == 0) != options.train
    images, classes = images[chosen], np.asarray(labels, dtype=np.int64)[chosen]

    def read(rows: Sequence[int]) -> NDArray[np.float32]:
        return images[list(rows)]

    name = "digits-train" if options.train else "digits-test"
    return Source(read, classes, name, (0.0, 1.0), tuple("0123456789"), scale=GREY_LEVELS)
