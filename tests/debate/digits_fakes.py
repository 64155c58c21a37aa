"""Images of eight pixels and judges with random weights, on which the sparse-pixel debate takes no time."""

import numpy as np

from gadfly.debate._digits import Images, PixelJudge

PIXELS, LABELS = 8, 10


def tiny(k, seed=0):
    """A judge of k of eight pixels."""
    rng = np.random.default_rng(seed)
    shapes = ((2 * PIXELS, 5), (5,), (5, LABELS), (LABELS,))
    return PixelJudge(k, *(rng.standard_normal(shape).astype(np.float32) for shape in shapes))


def image(seed, blank=1):
    """Eight pixels, the last of them blank."""
    values = np.random.default_rng(seed).random(PIXELS, dtype=np.float32) + np.float32(0.1)
    values[PIXELS - blank :] = 0
    return values


def some_images(count):
    """Images that are labelled at random."""
    labels = np.random.default_rng(0).integers(LABELS, size=count)
    return Images(np.array([image(i) for i in range(count)]), labels)
