"""``experiment.ablation``: leave out one part at a time, to see what each contributes."""

from __future__ import annotations

from functools import partial
from typing import Any, Unpack

from hopsml_flows.ablation.ablated_function import AblatedFunction, check_function
from hopsml_flows.ablation.arms import arms_of
from hopsml_flows.ablation.datasets import GIVEN
from hopsml_flows.ablation.findings import Design, findings
from hopsml_flows.ablation.generators import ABLATED, check_generator
from hopsml_flows.ablation.inspection import check_parts, inspect_study
from hopsml_flows.ablation.result import AblationResult
from hopsml_flows.ablation.search import ArmsSearch, SequentialSearch
from hopsml_flows.ablation.sequential import SequentialRule
from hopsml_flows.ablation.study import AblationStudy, StudyParts
from hopsml_flows.errors import InvalidArgumentError
from hopsml_flows.execution import TrainingFunction, argument_order, imported
from hopsml_flows.flows.experiment_flow import experiment_flow
from hopsml_flows.plan.options import Options, SearchOptions
from hopsml_flows.plan.plan import Plan, checked_key
from hopsml_flows.plan.run_form import (
    AroundParameter,
    DirectionParameter,
    InteractionsParameter,
    PositiveParameter,
    StudyParameter,
    TrainParameter,
)
from hopsml_flows.plan.winner import arms_around
from hopsml_flows.search import Direction
from hopsml_flows.trials import DEFAULT_KEY
from hopsml_flows.values.arguments import whole_number
from hopsml_flows.values.plain import image_key

__all__ = ["ablation"]

_LEAST = 2
"""How often each arm of a sequential study is trained at least."""


@experiment_flow(AblationResult)
def ablation(
    train: TrainParameter,
    study: StudyParameter = None,
    direction: DirectionParameter = Direction.MAX,
    repeats: PositiveParameter = 5,
    interactions: InteractionsParameter = 1,
    adapt: bool = False,
    around: AroundParameter = None,
    sequential: bool = False,
    name: str | None = None,
    local_logdir: bool = False,
    description: str | None = None,
    optimization_key: str = DEFAULT_KEY,
    **options: Unpack[SearchOptions],
) -> Plan:
    """Train with everything, and then without one part of the model or of its data at a time.

    The training function gets those of ``dataset_function`` and ``model_function`` that it has as
    arguments. Trials of one repeat have the same seed, so that their metrics can be compared in
    pairs.

    With ``around``, the function is trained with the hyperparameters of a search's winner, and then
    with one of them at a time set back to the function's default, or to the middle of its range.

    Args:
        train: The training function: a callable, a Prefect task, or an import string
            ("package.module:name" or "path/file.py:name").
        study: What to leave out: an AblationStudy, or the import string of one.
        direction: Direction.MAX or Direction.MIN.
        repeats: How often each arm of the study is trained, each time with another seed.
        interactions: 1, or 2 to leave out pairs, too.
        adapt: Put a linear layer in place of a layer that is left out, where the rest of the
            model would not fit together.
        around: In place of a study: the result of a search of the same function, or its identifier.
        sequential: Train each arm twice, and only those that are undecided more often, at most
            ``repeats`` times.
        name: Name of the experiment; the training function's name if None.
        local_logdir: Keep TensorBoard events on the worker until the trial ends.
        description: Free text for the record.
        optimization_key: Key of the metric in the returned dict.
        **options: Those of :class:`~hopsml_flows.plan.options.SearchOptions`.

    Returns:
        The result; it unpacks as ``best_dir, best_params, best_outputs = ablation(…)``.
    """
    function = TrainingFunction(train)
    way = Direction.parse(direction)
    key = checked_key(optimization_key)
    rule = _rule(repeats, interactions, adapt, sequential)
    checked = Options.checked(
        SearchOptions,
        options,
        train=function,
        name=name,
        description=description,
        local_logdir=local_logdir,
    )
    settings: dict[str, Any] = {
        "repeats": repeats,
        "interactions": interactions,
        "adapt": adapt,
        "sequential": sequential,
    }
    if around is None:
        parts = _parts(study)
        _check_generators(parts, argument_order(function.callable))
        check_function(function.callable, parts)
        check_parts(parts)
        arms = arms_of(parts.components, interactions=interactions)
        design = Design.of_arms(arms, rule)
        ablated = AblatedFunction(function.callable, parts, arms, adapt=adapt, key=key)
        trained = TrainingFunction(ablated)
        look = partial(inspect_study, parts, elsewhere=checked.cluster.elsewhere)
    else:
        _check_alone(study, interactions, adapt)
        found = arms_around(checked.project, around, function.callable, str(function), way)
        design, trained, look = Design.of_winner(found, rule), function, None
        settings["around"] = found.experiment
    arms_params = list(design.arms.values())
    return Plan(
        verb="ablation",
        experiment_type="PARALLEL_EXPERIMENTS",
        train=trained,
        options=checked,
        make_search=lambda *_: _search(design, repeats, way),
        trials=None if sequential else len(design.arms) * repeats,
        direction=way,
        optimization_key=key,
        needs_metric=True,
        space={
            name: list({image_key(params[name]): params[name] for params in arms_params}.values())
            for name in arms_params[0]
        },
        settings=settings,
        look=look,
        judge=partial(findings, design, direction=way, metric=key),
    )


def _rule(repeats: Any, interactions: Any, adapt: Any, sequential: Any) -> SequentialRule | None:
    """Check how a study repeats its arms; return which of them get more seeds.

    Raises:
        InvalidArgumentError: An argument is wrong.
    """
    whole_number("repeats", repeats, least=1)
    if interactions not in (1, 2) or isinstance(interactions, bool):
        raise InvalidArgumentError("interactions", interactions, "must be 1 or 2")
    for name, value in (("adapt", adapt), ("sequential", sequential)):
        if not isinstance(value, bool):
            raise InvalidArgumentError(name, value, "must be True or False")
    if not sequential:
        return None
    if interactions == 2:
        because = "all arms of a pair need the same repeats"
        raise InvalidArgumentError("sequential", sequential, because=because)
    if repeats < _LEAST:
        must = f"must be at least {_LEAST}, which each arm gets with sequential=True"
        raise InvalidArgumentError("repeats", repeats, must)
    return SequentialRule(least=_LEAST, most=repeats)


def _search(design: Design, repeats: int, direction: Direction) -> ArmsSearch | SequentialSearch:
    if design.rule is None:
        return ArmsSearch(design, repeats=repeats, direction=direction)
    return SequentialSearch(design, direction=direction)


def _check_alone(study: Any, interactions: int, adapt: bool) -> None:
    """Check that nothing is asked of a study around a winner that only one of components has.

    Raises:
        InvalidArgumentError: Something is.
    """
    for name, value, is_given in (
        ("study", study, study is not None),
        ("interactions", interactions, interactions != 1),
        ("adapt", adapt, adapt),
    ):
        if is_given:
            because = "a study with around= leaves out no parts of a model or of data"
            raise InvalidArgumentError(name, value, because=because)


def _parts(study: Any) -> StudyParts:
    """Return what a study leaves out, and of what.

    Raises:
        InvalidArgumentError: It is no study, or it cannot be one.
    """
    if isinstance(study, str):
        study = imported("study", study)
    if not isinstance(study, AblationStudy):
        raise InvalidArgumentError(
            "study",
            study,
            "must be an AblationStudy, or the import string of one; or give around=",
        )
    return study.parts()


def _check_generators(parts: StudyParts, arguments: tuple[str, ...]) -> None:
    """Check that what the study leaves parts out of is there, and can be made.

    Raises:
        InvalidArgumentError: There is no base model, or no dataset, or one cannot be made.
    """
    if parts.base_model is None and (parts.of_model or "model_function" in arguments):
        raise InvalidArgumentError(
            "study",
            None,
            because="it has no base model: call study.model.set_base_model_generator",
        )
    if parts.dataset is None and parts.features and "dataset" not in (parts.given or ()):
        raise InvalidArgumentError(
            "study",
            list(parts.features),
            because="it has no dataset to leave features out of: call study.set_dataset_generator",
        )
    if parts.base_model is not None:
        check_generator("base_model_generator", parts.base_model, [ABLATED])
    for name, generator in parts.custom_models.items():
        check_generator(f"custom_model_generator of {name!r}", generator, [ABLATED])
    if parts.dataset_is_made:
        check_generator("dataset_generator", parts.dataset, GIVEN, positional=2)
