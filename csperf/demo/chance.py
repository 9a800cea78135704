"""Chance that depends on nothing but the seed and what it is asked for.

A number is a hash of (seed, purpose, keys), so a day of the demo company comes out the same whatever range of
dates it is written in, and adding a person or a day changes no other.
"""

from __future__ import annotations

from datetime import date
from typing import Any
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]


def _mix(state: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """One splitmix64 step: spreads every input bit over all output bits."""
    state = state + np.uint64(0x9E3779B97F4A7C15)
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return state ^ (state >> np.uint64(31))


def uniform(seed: int, purpose: str, *keys: Any) -> Floats:
    """Numbers in [0, 1), one for each combination of the keys (whole numbers or arrays of them, broadcast)."""
    start = np.uint64((seed & 0xFFFFFFFF) << 32 | crc32(purpose.encode()))
    with np.errstate(over="ignore"):
        state = _mix(np.atleast_1d(start))
        for key in keys:
            state = _mix(state ^ np.atleast_1d(np.asarray(key, dtype=np.int64)).astype(np.uint64))
    return (state >> np.uint64(11)).astype(np.float64) / 2.0**53


def normal(seed: int, purpose: str, *keys: Any) -> Floats:
    """Standard normal numbers, one for each combination of the keys."""
    radius = np.sqrt(-2 * np.log1p(-uniform(seed, purpose + ":r", *keys)))
    values: Floats = radius * np.cos(2 * np.pi * uniform(seed, purpose + ":a", *keys))
    return values


def pick(shares: list[float], chance: Floats) -> Ints:
    """Which of several options each number in [0, 1) stands for; the shares need not add up to 1."""
    edges = np.cumsum(np.asarray(shares, dtype=np.float64))
    return np.minimum(np.searchsorted(edges / edges[-1], chance, side="right"), len(shares) - 1).astype(np.int64)


def day_generator(seed: int, purpose: str, day: date) -> np.random.Generator:
    """A generator for one day's records of one kind."""
    return np.random.Generator(np.random.PCG64([seed & 0xFFFFFFFF, crc32(purpose.encode()), day.toordinal()]))
