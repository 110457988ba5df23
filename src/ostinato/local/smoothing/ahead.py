"""The forecast distribution of exponential smoothing (Hyndman et al. 2008, chapter 6)."""

from __future__ import annotations

import numpy as np
from scipy.special import ndtri

from ostinato.ops.ets.form import Form
from ostinato.shapes import Array


def moments(form: Form, theta: Array, last: Array, variance: Array, horizon: int) -> tuple[Array, Array]:
    """Return mean and variance of the steps ahead.

    They are exact for additive seasons or none (classes 1 and 2 of the book). For a multiplicative season and error
    (class 3) they are the approximation of section 6.4.3, which is good while the variance of the errors is small.

    Args:
        form: The form, of which a multiplicative season needs a multiplicative error.
        theta: The parameters of each row, (B, 6 + m).
        last: Level, trend and seasons at the end, the season of the next step first, (B, 2 + m).
        variance: The variance of the errors, (B,); relative to the mean if the error is multiplicative.
        horizon: The number of steps H.

    Returns:
        The means and the variances, (B, H) each.
    """
    alpha, beta, gamma, phi = (column[:, None] for column in theta[:, :4].T)
    h, m = np.arange(1, horizon + 1), last.shape[1] - 2
    damping = np.cumsum(phi ** np.arange(1, horizon + 1), 1)
    trend = last[:, :1] + last[:, 1:2] * damping
    season = last[:, 2 + (h - 1) % m] if m else np.zeros_like(trend)
    weight = (alpha + beta * damping)[:, :-1]
    if form.season == "A":
        weight = weight + gamma * (h[:-1] % m == 0)
    v = variance[:, None]
    mean = trend * season if form.season == "M" else trend + season
    if form.error == "A":
        return mean, v * (1 + np.cumsum(np.pad(weight, ((0, 0), (1, 0))) ** 2, 1))
    path = trend if form.season == "M" else mean
    theta_h = np.zeros_like(path)
    for i in range(horizon):
        theta_h[:, i] = path[:, i] ** 2 + variance * (weight[:, :i] ** 2 * theta_h[:, :i][:, ::-1]).sum(1)
    if form.season == "M":
        return mean, season**2 * ((1 + v) * (1 + gamma**2 * v) ** ((h - 1) // m) * theta_h - path**2)
    return mean, (1 + v) * theta_h - path**2


def quantiles(form: Form, mean: Array, variance: Array, probabilities: Array) -> Array:
    """Return the quantiles of the steps ahead, (B, H, Q).

    Additive errors are normal. Under multiplicative errors a value is a product of many factors, so it is taken as
    lognormal with the same mean and variance: positive, as the values are.

    Args:
        form: The form.
        mean: The means, (B, H).
        variance: The variances, (B, H).
        probabilities: The probabilities, (Q,).
    """
    z = ndtri(probabilities)
    deviation = np.sqrt(np.maximum(variance, 0))[..., None]
    center = mean[..., None]
    normal = center + deviation * z
    if form.error == "A":
        return np.asarray(normal)
    positive = center > 0
    spread = np.log1p((deviation / np.where(positive, center, 1)) ** 2)
    return np.where(positive, np.where(positive, center, 1) * np.exp(np.sqrt(spread) * z - spread / 2), normal)
