"""A machine that only exists in numbers: two cost curves under noise that benchmarks meet, vectorised.

Every sample's log-time is the curve's, plus normal noise, rare outliers of three to ten times, a drift that both
rivals share (six sinusoids), one throttling step, and, where asked for, a drift of the challenger alone and effects
of the launch. Its clock counts samples; a restart takes `restart_gap` of them.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from tests.simulation.curves import Cost

WAVES = 6


class FakeMachine:
    """`measure` has the signature that `locate` asks for; `samples` counts what it was asked."""

    def __init__(
        self,
        baseline: Cost,
        challenger: Cost,
        *,
        sigma: float = 0.10,
        outliers: float = 0.02,
        shared_drift: float = 0.10,
        throttle: float = 1.3,
        own_drift: float = 0.0,
        launch_effect: float = 0.0,
        launch_heads_effect: float = 0.0,
        restart_gap: int = 400,
        tails: float = math.inf,
        seed: int = 0,
    ) -> None:
        self.random = random = np.random.default_rng(seed)
        self.costs = (baseline, challenger)
        self.sigma, self.outliers = sigma, outliers
        self.tails = tails if math.isfinite(tails) else None
        self.own_amplitude = own_drift * math.sqrt(2)
        self.effect_spreads = (launch_effect, launch_heads_effect)
        self.restart_gap = restart_gap
        self.clock = 0
        self.samples = 0
        self.launch: int | None = None
        self.waves = 2 * math.pi / np.exp(random.uniform(math.log(150), math.log(6000), WAVES))
        self.phases = random.uniform(0, 2 * math.pi, WAVES)
        self.shared_amplitude = shared_drift * math.sqrt(2 / WAVES)
        self.throttled_from = random.uniform(0, 2500)
        self.log_throttle = math.log(throttle)
        self.own_wave, self.own_phase = 2 * math.pi / random.uniform(200, 1500), random.uniform(0, 2 * math.pi)
        self.effects: dict[tuple[int, ...], float] = {}
        self.known_costs: dict[int, tuple[float, float]] = {}

    def _effect(self, key: tuple[int, ...], spread: float) -> float:
        if spread == 0:
            return 0.0
        if key not in self.effects:
            self.effects[key] = float(self.random.normal(0.0, spread))
        return self.effects[key]

    def measure(self, heads: int, rounds: int, launch: int) -> list[tuple[float, float]]:
        """`rounds` pairs (baseline, challenger), seconds per call, the order of the two drawn at random."""
        if self.launch is None or launch != self.launch:
            self.launch = launch
            self.clock += self.restart_gap
        if heads not in self.known_costs:
            self.known_costs[heads] = (math.log(self.costs[0](heads)), math.log(self.costs[1](heads)))
        random = self.random
        challenger_first = random.integers(2, size=rounds)
        when = np.empty((rounds, 2))
        when[:, 0] = np.arange(self.clock, self.clock + 2 * rounds, 2)
        when[:, 1] = when[:, 0] + 1 - challenger_first
        when[:, 0] += challenger_first
        noise = random.standard_normal((rounds, 2))
        if self.tails is not None:
            noise = random.standard_t(self.tails, (rounds, 2))
        waves = when[..., None] * self.waves
        waves += self.phases
        shared = np.add.reduce(np.sin(waves, out=waves), axis=-1)
        logs = self.sigma * noise + self.shared_amplitude * shared
        if self.clock + 2 * rounds > self.throttled_from:
            logs += self.log_throttle * (when > self.throttled_from)
        if self.own_amplitude:
            logs[:, 1] += self.own_amplitude * np.sin(self.own_wave * when[:, 1] + self.own_phase)
        hit = random.random((rounds, 2)) < self.outliers
        slower = random.uniform(3, 10, (rounds, 2))
        if hit.any():
            logs += hit * np.log(slower)
        for rival, cost in enumerate(self.known_costs[heads]):
            logs[:, rival] += cost + self._effect((rival, launch), self.effect_spreads[0])
            if self.effect_spreads[1]:
                logs[:, rival] += self._effect((rival, launch, heads), self.effect_spreads[1])
        self.clock += 2 * rounds
        self.samples += 2 * rounds
        return [(pair[0], pair[1]) for pair in (1e-6 * np.exp(logs)).tolist()]
