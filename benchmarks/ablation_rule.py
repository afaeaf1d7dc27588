"""How often an ablation study tells its components apart, and with how many trainings.

Simulated studies of two components with an effect, two noise features and a useless layer: with
five fixed repeats, and with more seeds for undecided arms only. Prints the table of
docs/explanation/ablation.md, and how often an effect is found where there is none.

    python benchmarks/ablation_rule.py [studies [most repeats of the sequential studies]]
"""

from __future__ import annotations

import math
import random
import sys

from hopsml_flows.ablation import Decisions, SequentialRule, Verdict, effects

TRUE, NOISE = ("true 1", "true 2"), ("noise 1", "noise 2", "useless")
SIZES = (2, 3, 4, 5, 6, 7, 10, 20)
FIXED = 5


def fixed(source, size):
    """Return whether the verdicts of five fixed repeats are right."""
    metrics = {arm: {} for arm in ("base", *TRUE, *NOISE)}
    for repeat in range(FIXED):
        train(source, metrics, metrics, repeat, size)
    judged = effects(metrics, base="base", direction="max")
    found = {effect.arm: effect.mean > 0 for effect in judged if effect.p_holm <= 0.05}
    return found == dict.fromkeys(TRUE, True)


def sequential(source, arms, size, rule, deviations=None):
    """Return the verdicts of a sequential study, and its trainings."""
    metrics = {arm: {} for arm in ("base", *arms)}
    decisions = Decisions(0, {}, arms)
    repeats = 0
    while not decisions.is_complete:
        train(source, metrics, ("base", *decisions.undecided), repeats, size, deviations)
        repeats += 1
        decisions = rule.decide(metrics, base="base", direction="max", repeats=repeats)
    return decisions.verdicts, sum(map(len, metrics.values()))


def train(source, metrics, arms, repeat, size, deviations=None):
    """Add a metric per arm; differences within pairs have a standard deviation of 1."""
    seed = source.gauss(0, 3)
    for arm in arms:
        effect = size if arm in TRUE else 0
        deviation = (deviations or {}).get(arm, 1) * math.sqrt(0.5)
        metrics[arm][repeat] = seed - effect + source.gauss(0, deviation)


def main(studies, most):
    """Print the table, and the rates of false findings."""
    arms = (*TRUE, *NOISE)
    right = {arm: Verdict.MATTERS if arm in TRUE else Verdict.NOISE for arm in arms}
    for size in SIZES:
        source = random.Random(5)
        with_five = sum(fixed(source, size) for _ in range(studies)) / studies
        source = random.Random(5)
        runs = [sequential(source, arms, size, SequentialRule(most=most)) for _ in range(studies)]
        share = sum(dict(verdicts) == right for verdicts, _ in runs) / studies
        trainings = sum(count for _, count in runs) / studies
        whole = FIXED * (1 + len(arms))
        print(
            f"| {size} | {with_five:.1%} | {share:.1%} | {trainings:.1f} "
            f"| {trainings / whole:.0%} |".replace("%", " %")
        )
    none = ("a", "b", "c", "d", "e")
    for told, rule, deviations in (
        ("nothing has an effect", SequentialRule(most=most), None),
        ("no arm is given up", SequentialRule(most=most, futility=0), None),
        (
            "one arm five times as noisy, none given up",
            SequentialRule(most=most, futility=0),
            {"e": 5},
        ),
    ):
        source = random.Random(5)
        runs = [sequential(source, none, 0, rule, deviations) for _ in range(studies)]
        false = sum(any(v is not Verdict.NOISE for v in verdicts.values()) for verdicts, _ in runs)
        print(f"{told}: found in {false / studies:.1%}")


if __name__ == "__main__":
    given = [int(text) for text in sys.argv[1:]]
    main(*given, *(1000, FIXED)[len(given) :])
