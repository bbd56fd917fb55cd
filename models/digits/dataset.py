"""The 1,797 handwritten digits of the UCI repository, as scikit-learn packages them.

The order is that of `load_digits()`, in which neighbours look alike. The data is split in the
middle, not at random, so that the tested half differs from the trained one. Source and licence:
README.md.
"""

import numpy as np
from sklearn.datasets import load_digits

TRAIN_COUNT = 898  # pictures 0..897 train the net, pictures 898..1796 test it


def load_pictures():
    """All pictures float32 [1797, 1, 8, 8] with values 0..16, and labels int64 [1797]."""
    digits = load_digits()
    pictures = digits.images.astype(np.float32)[:, None]
    return pictures, digits.target.astype(np.int64)


def shift_at_random(rng, pictures):
    """Each picture [1, 8, 8] moved by -1, 0 or 1 pixel in both directions; zeros come in."""
    batch = len(pictures)
    padded = np.pad(pictures, ((0, 0), (0, 0), (1, 1), (1, 1)))
    tops, lefts = rng.integers(0, 3, batch), rng.integers(0, 3, batch)
    rows = tops[:, None, None] + np.arange(8)[None, :, None]
    cols = lefts[:, None, None] + np.arange(8)[None, None, :]
    return padded[np.arange(batch)[:, None, None], 0, rows, cols][:, None]
