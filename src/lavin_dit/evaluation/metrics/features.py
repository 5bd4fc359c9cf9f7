"""Distances between sets of pictures, from features that a network gives."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float64


@dataclass(frozen=True, slots=True, kw_only=True)
class Moments:
    """Number, sum and sum of outer products of feature vectors.

    Attributes:
        count: Number of vectors.
        total: Their sum.
        products: Sum of their outer products.
    """

    count: int
    total: Float64[np.ndarray, " d"]
    products: Float64[np.ndarray, "d d"]

    def merge(self, other: "Moments") -> "Moments":
        """Add all three."""
        return Moments(
            count=self.count + other.count,
            total=self.total + other.total,
            products=self.products + other.products,
        )

    @property
    def mean(self) -> Float64[np.ndarray, " d"]:
        """Mean vector."""
        return self.total / self.count

    @property
    def covariance(self) -> Float64[np.ndarray, "d d"]:
        """Covariance, normalised by one less than the number."""
        centred = self.products - np.outer(self.total, self.total) / self.count
        return centred / (self.count - 1)


def moments(features: Float[np.ndarray, "n d"]) -> Moments:
    """Moments of some feature vectors.

    Args:
        features: One vector per picture.

    Returns:
        Their moments.

    Raises:
        ValueError: If a feature is not finite.
    """
    if not np.isfinite(features).all():
        raise ValueError("features must be finite; the network or its input is damaged")
    rows = features.astype(np.float64)
    return Moments(count=len(rows), total=rows.sum(axis=0), products=rows.T @ rows)


def frechet_distance(one: Moments, other: Moments) -> float:
    """Squared Fréchet distance between the normal distributions of two sets of features.

    Args:
        one: Of the predictions.
        other: Of the true pictures.

    Returns:
        The distance; NaN for fewer than 2 pictures. With fewer pictures than features it is biased
        upward: compare at equal numbers alone.

    Source:
        Heusel et al. (2017). It is the FID only if the features are those of its own network.
    """
    if min(one.count, other.count) < 2:
        return math.nan
    apart = one.mean - other.mean
    root = _root(one.covariance)
    # tr sqrt(A B) = tr sqrt(sqrt(A) B sqrt(A)), which is symmetric.
    inner = np.linalg.eigvalsh(root @ other.covariance @ root)
    cross = float(np.sqrt(np.maximum(inner, 0)).sum())
    spread = float(np.trace(one.covariance) + np.trace(other.covariance))
    return max(float(apart @ apart) + spread - 2 * cross, 0.0)


def _root(matrix: Float64[np.ndarray, "d d"]) -> Float64[np.ndarray, "d d"]:
    """Symmetric square root of a positive semidefinite matrix."""
    values, vectors = np.linalg.eigh(matrix)
    root: Float64[np.ndarray, "d d"] = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    return root


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureSets:
    """Features of predicted and of true pictures, for the distance between the two sets.

    Attributes:
        name: What the score is called; ``fid`` for the true network alone.
        predicted: One vector per prediction.
        truth: One vector per true picture.
    """

    name: str
    predicted: tuple[Float[np.ndarray, " d"], ...]
    truth: tuple[Float[np.ndarray, " d"], ...]

    def merge(self, other: "FeatureSets") -> "FeatureSets":
        """Both sets grow."""
        if other.name != self.name:
            raise ValueError(f"{self.name} and {other.name} cannot be merged")
        return FeatureSets(
            name=self.name,
            predicted=self.predicted + other.predicted,
            truth=self.truth + other.truth,
        )

    def scores(self) -> Mapping[str, float]:
        """The distance; NaN for fewer than 2 pictures."""
        if len(self.predicted) < 2:
            return {self.name: math.nan}
        one, other = (moments(np.stack(found)) for found in (self.predicted, self.truth))
        return {self.name: frechet_distance(one, other)}
