"""What an ablation study leaves out, as users say it; with the names of Maggy's class.

A study only collects names and functions. What is wrong with names alone is an error at once; what
needs the model or the data is checked before the experiment starts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field
from typing import Any

from hopsml_flows.ablation.components import NOTHING, Component, Kind
from hopsml_flows.errors import InvalidArgumentError, InvalidFunctionError
from hopsml_flows.values.arguments import whole_number

__all__ = ["AblationStudy", "Features", "Layers", "Model", "Modules", "StudyParts"]


@dataclass(frozen=True, slots=True, eq=False)
class StudyParts:
    """What a study has when an experiment begins; later changes of the study do not reach it.

    Args:
        components: What is left out, in order.
        base_model: Makes the base model, or None.
        custom_models: Identifier to what makes a custom model.
        dataset: The dataset, or what makes it; None if the study has none.
        dataset_is_made: Whether it is a function that makes it.
        feature_names: Names of the columns of arrays, or None.
        dataset_name: Name of the training dataset, or None.
        dataset_version: Its version, or None.
        label_name: Name of the label, or None.
        given: What Maggy's configuration has as ``model`` and ``dataset``; None if the study is not
            run by Maggy's verb.
    """

    components: tuple[Component, ...]
    base_model: Callable[..., Any] | None = None
    custom_models: Mapping[str, Callable[..., Any]] = field(default_factory=dict)
    dataset: Any = None
    dataset_is_made: bool = False
    feature_names: tuple[str, ...] | None = None
    dataset_name: str | None = None
    dataset_version: int | None = None
    label_name: str | None = None
    given: Mapping[str, Any] | None = None

    @property
    def features(self) -> tuple[str, ...]:
        """The features that are left out, in order."""
        return tuple(one.names[0] for one in self.components if one.is_feature)

    @property
    def of_model(self) -> tuple[Component, ...]:
        """The components of the model, custom models among them."""
        return tuple(one for one in self.components if not one.is_feature)


class AblationStudy:
    """What to leave out of a model and of its data, one at a time.

    To include something means to include it in the study: one trial is trained without it.

    Args:
        training_dataset_name: Name of the training dataset, for a dataset generator that has an
            argument of this name.
        training_dataset_version: Its version, from 1, for a generator in the same way.
        label_name: Name of the label. It is no feature.
        dataset_generator: As of :meth:`set_dataset_generator`.
        feature_names: Names of the columns of arrays, in order.

    Raises:
        InvalidArgumentError: An argument is wrong.

    Example:
        >>> def data(num_epochs, batch_size):
        ...     return {"age": [22, 38], "fare": [7.25, 71.28], "survived": [0, 1]}
        >>> study = AblationStudy(label_name="survived", dataset_generator=data)
        >>> study.features.include("age", "fare")
        >>> study.model.layers.include("dense_two")
        >>> study.model.layers.include_groups(["dense_two", "dense_three"], prefix="dense")
        >>> study
        AblationStudy(2 features, 1 layer, 1 group, 1 prefix)
    """

    def __init__(
        self,
        training_dataset_name: str | None = None,
        training_dataset_version: int | None = None,
        label_name: str | None = None,
        dataset_generator: Callable[..., Any] | None = None,
        *,
        feature_names: Sequence[str] | None = None,
    ) -> None:
        self.training_dataset_name = _text_or_none("training_dataset_name", training_dataset_name)
        self.training_dataset_version = training_dataset_version
        if training_dataset_version is not None:
            whole_number("training_dataset_version", training_dataset_version, least=1)
        self.label_name = _text_or_none("label_name", label_name)
        self.features = Features()
        self.model = Model()
        self._dataset: Any = None
        self._is_made = False
        self._given: Mapping[str, Any] | None = None
        self._feature_names = _names_or_none(feature_names)
        if dataset_generator:  # Maggy's default is False
            self.set_dataset_generator(dataset_generator)

    def set_dataset_generator(
        self,
        dataset_generator: Callable[..., Any],
        *,
        feature_names: Sequence[str] | None = None,
    ) -> None:
        """Set what makes the dataset.

        ``dataset_function`` calls it in the trial, with those of ``num_epochs``, ``batch_size``,
        ``ablated_feature`` (a name, or None), ``training_dataset_name``,
        ``training_dataset_version`` and ``label_name`` that it has as arguments, and takes the
        feature out of what it returns. If the generator takes ``ablated_feature``, it may leave
        the feature out itself.

        Args:
            dataset_generator: The function. If it returns a function, that one is called with
                ``num_epochs`` and ``batch_size``.
            feature_names: Names of the columns of arrays that it returns, in order.

        Raises:
            InvalidFunctionError: It is no function.
        """
        self._dataset = _function("dataset_generator", dataset_generator)
        self._is_made = True
        if feature_names is not None:
            self._feature_names = _names_or_none(feature_names)

    def set_dataset(self, dataset: Any, *, feature_names: Sequence[str] | None = None) -> None:
        """Set the dataset itself, where it is in memory. Each trial gets a copy.

        Args:
            dataset: A pandas DataFrame, a dict of arrays, an array whose columns have names, a
                ``tf.data.Dataset`` that can be pickled, or tuples and lists of them.
            feature_names: Names of the columns of its arrays, in order.
        """
        if dataset is None:
            raise InvalidArgumentError("dataset", None, "must be a dataset")
        self._dataset, self._is_made = dataset, False
        if feature_names is not None:
            self._feature_names = _names_or_none(feature_names)

    @property
    def components(self) -> tuple[Component, ...]:
        """What is left out, in the order of the trials."""
        return (*self.features, *self.model)

    def configured(self, given: Mapping[str, Any]) -> AblationStudy:
        """Return the study of a call of Maggy's verb.

        Args:
            given: What its configuration has as ``model`` and ``dataset``.
        """
        study = copy(self)
        known = {name: value for name, value in given.items() if value is not None}
        study._given = known  # noqa: SLF001 - of the same class
        return study

    def parts(self) -> StudyParts:
        """Return what the study has now.

        Raises:
            InvalidArgumentError: It leaves nothing out, or its label.
        """
        if not self.components:
            raise InvalidArgumentError(
                "study", self, because="it leaves nothing out: include features or layers"
            )
        for component in self.features:
            if component.names[0] == self.label_name:
                raise InvalidArgumentError(
                    "features.include", self.label_name, because="it is the label_name"
                )
        return StudyParts(
            components=self.components,
            base_model=self.model.base_model_generator or (self._given or {}).get("model"),
            custom_models=dict(self.model.custom_models),
            dataset=self._dataset,
            dataset_is_made=self._is_made,
            feature_names=self._feature_names,
            dataset_name=self.training_dataset_name,
            dataset_version=self.training_dataset_version,
            label_name=self.label_name,
            given=self._given,
        )

    def __repr__(self) -> str:
        words = {
            Kind.FEATURE: "feature",
            Kind.LAYER: "layer",
            Kind.GROUP: "group",
            Kind.PREFIX: "prefix",
            Kind.MODULE: "module",
            Kind.CUSTOM: "custom model",
        }
        counts = {kind: sum(one.kind is kind for one in self.components) for kind in words}
        plurals = {kind: "prefixes" if kind is Kind.PREFIX else f"{words[kind]}s" for kind in words}
        told = [
            f"{count} {words[kind] if count == 1 else plurals[kind]}"
            for kind, count in counts.items()
            if count
        ]
        return f"AblationStudy({', '.join(told)})"


class _Included:
    """A collection of components without duplicates, in the order in which they were included."""

    def __init__(self) -> None:
        self._components: list[Component] = []

    def __iter__(self) -> Iterator[Component]:
        return iter(list(self._components))

    def _add(self, argument: str, component: Component) -> None:
        same = [one for one in self._components if _same(one, component)]
        if same:
            raise InvalidArgumentError(argument, component.value, because="it is included already")
        self._components.append(component)

    def _remove(self, argument: str, component: Component) -> None:
        same = next((one for one in self._components if _same(one, component)), None)
        if same is None:
            raise InvalidArgumentError(
                argument, component.value, f"must be included; included are {self._known()}"
            )
        self._components.remove(same)

    def _known(self) -> list[str | list[str]]:
        return [one.value for one in self._components]


class Features(_Included):
    """The features that a study leaves out."""

    def include(self, *features: str | Sequence[str]) -> None:
        """Leave each of these features out in a trial of its own.

        Args:
            *features: Names, or lists of names.

        Raises:
            InvalidArgumentError: One is no name, or is included already.
        """
        for name in _listed("features.include", features):
            self._add("features.include", Component(Kind.FEATURE, (name,)))

    def exclude(self, *features: str | Sequence[str]) -> None:
        """Take features out of the study that were included.

        Args:
            *features: Names, or lists of names.

        Raises:
            InvalidArgumentError: One is not included.
        """
        for name in _listed("features.exclude", features):
            self._remove("features.exclude", Component(Kind.FEATURE, (name,)))

    def list_all(self) -> None:
        """Print the features that are included, one per line."""
        for component in self:
            print(component.names[0])


class Layers(_Included):
    """The layers, and groups of layers, that a study leaves out."""

    def include(self, *layers: str | Sequence[str]) -> None:
        """Leave each of these layers out in a trial of its own.

        Args:
            *layers: Names, or lists of names.

        Raises:
            InvalidArgumentError: One is no name, or is included already.
        """
        for name in _listed("layers.include", layers):
            self._add("layers.include", Component(Kind.LAYER, (name,)))

    def exclude(self, *layers: str | Sequence[str]) -> None:
        """Take layers out of the study that were included.

        Args:
            *layers: Names, or lists of names.

        Raises:
            InvalidArgumentError: One is not included.
        """
        for name in _listed("layers.exclude", layers):
            self._remove("layers.exclude", Component(Kind.LAYER, (name,)))

    def include_groups(self, *groups: Sequence[str], prefix: str | None = None) -> None:
        """Leave groups of layers out, each in a trial of its own.

        Args:
            *groups: Lists of names of at least two layers.
            prefix: Beginning of the names of layers, in upper or lower case. The first and the
                last layer of the model stay.

        Raises:
            InvalidArgumentError: A group is empty, has one layer, has one twice, or is included
                already.
        """
        for component in _groups("layers.include_groups", groups, prefix):
            self._add("layers.include_groups", component)

    def exclude_groups(self, *groups: Sequence[str], prefix: str | None = None) -> None:
        """Take groups out of the study that were included.

        Args:
            *groups: Lists of names.
            prefix: A prefix.

        Raises:
            InvalidArgumentError: One is not included.
        """
        for component in _groups("layers.exclude_groups", groups, prefix):
            self._remove("layers.exclude_groups", component)

    def print_all(self) -> None:
        """Print the layers that are included, one per line."""
        for component in self:
            if component.kind is Kind.LAYER:
                print(component.names[0])

    def print_all_groups(self) -> None:
        """Print the groups that are included, one per line."""
        for component in self:
            if component.kind is not Kind.LAYER:
                print(component.value)


class Modules(_Included):
    """The modules that a study leaves out: from one layer to another, with all between."""

    def include(self, start: str, end: str) -> None:
        """Leave a module out: its first and its last layer, and all on ways between them.

        Args:
            start: Its first layer.
            end: Its last layer.

        Raises:
            InvalidArgumentError: One is no name, or the module is included already.
        """
        self._add("modules.include", _module("modules.include", start, end))

    def exclude(self, start: str, end: str) -> None:
        """Take a module out of the study that was included.

        Args:
            start: Its first layer.
            end: Its last layer.

        Raises:
            InvalidArgumentError: It is not included.
        """
        self._remove("modules.exclude", _module("modules.exclude", start, end))


class Model:
    """The model of a study: what makes it, and what is left out of it.

    Attributes:
        layers: The layers and groups to leave out.
        modules: The modules to leave out.
        base_model_generator: What makes the base model, or None.
        custom_models: Identifier to what makes a custom model.
    """

    def __init__(self) -> None:
        self.layers = Layers()
        self.modules = Modules()
        self.base_model_generator: Callable[..., Any] | None = None
        self.custom_models: dict[str, Callable[..., Any]] = {}

    def set_base_model_generator(self, base_model_generator: Callable[..., Any]) -> None:
        """Set what makes the base model, of which layers are left out.

        Args:
            base_model_generator: A function that returns a Keras model, a PyTorch module or a
                scikit-learn pipeline. It gets the name as ``ablated_feature``, or None, if it has
                an argument of that name.

        Raises:
            InvalidFunctionError: It is no function.
        """
        self.base_model_generator = _function("base_model_generator", base_model_generator)

    def add_custom_model_generator(
        self, custom_model_generator: Callable[..., Any], model_identifier: str
    ) -> None:
        """Train another model in a trial of its own, in place of the base model.

        Args:
            custom_model_generator: A function that returns the model.
            model_identifier: What the trial is called.

        Raises:
            InvalidFunctionError: It is no function.
            InvalidArgumentError: The identifier is no name, or there is a custom model of it.
        """
        function = _function("custom_model_generator", custom_model_generator)
        name = _name("model_identifier", model_identifier)
        if name in self.custom_models:
            raise InvalidArgumentError(
                "model_identifier", name, because="there is a custom model of this name"
            )
        self.custom_models[name] = function

    def __iter__(self) -> Iterator[Component]:
        """The components of the model: layers, list groups, prefixes, modules, custom models."""
        for kind in (Kind.LAYER, Kind.GROUP, Kind.PREFIX):
            yield from (one for one in self.layers if one.kind is kind)
        yield from self.modules
        yield from (Component(Kind.CUSTOM, (name,)) for name in self.custom_models)


def _same(one: Component, other: Component) -> bool:
    if one.kind is not other.kind:
        return False
    match one.kind:
        case Kind.GROUP:  # its layers are removed together, in any order
            return set(one.names) == set(other.names)
        case Kind.PREFIX:
            return one.names[0].lower() == other.names[0].lower()
    return one.names == other.names


def _groups(argument: str, groups: Sequence[Any], prefix: Any) -> Iterator[Component]:
    if not groups and prefix is None:
        raise InvalidArgumentError(argument, [], "must get lists of layers, or a prefix")
    for group in groups:
        if not isinstance(group, (list, tuple)) or len(group) < 2:
            hint = "; layers.include() takes one layer"
            raise InvalidArgumentError(
                argument, group, f"must be a list of at least two layers{hint}"
            )
        names = tuple(_name(argument, name) for name in group)
        if len(set(names)) < len(names):
            raise InvalidArgumentError(argument, group, "must name each layer once")
        yield Component(Kind.GROUP, names)
    if prefix is not None:
        yield Component(Kind.PREFIX, (_name("prefix", prefix),))


def _module(argument: str, start: Any, end: Any) -> Component:
    names = (_name(argument, start), _name(argument, end))
    if names[0] == names[1]:
        raise InvalidArgumentError(argument, start, "must begin and end with different layers")
    return Component(Kind.MODULE, names)


def _listed(argument: str, given: Sequence[Any]) -> Iterator[str]:
    if not given:
        raise InvalidArgumentError(argument, [], "must get at least one name")
    for one in given:
        if isinstance(one, (list, tuple)):
            if not one:
                raise InvalidArgumentError(argument, one, "must not be an empty list")
            yield from (_name(argument, name) for name in one)
        else:
            yield _name(argument, one)


def _name(argument: str, value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise InvalidArgumentError(argument, value, "must be a name: a string that is not empty")
    if value == NOTHING:
        raise InvalidArgumentError(
            argument, value, because="files of trials that leave nothing out say so"
        )
    return value


def _text_or_none(argument: str, value: Any) -> str | None:
    if value is not None and (not isinstance(value, str) or not value):
        raise InvalidArgumentError(argument, value, "must be a string that is not empty, or None")
    return value


def _names_or_none(value: Any) -> tuple[str, ...] | None:
    if value is None:
        return None
    listed = [] if isinstance(value, (str, bytes)) else list(value)
    if not listed or not all(isinstance(name, str) and name for name in listed):
        raise InvalidArgumentError("feature_names", value, "must be a list of names")
    if len(set(listed)) < len(listed):
        raise InvalidArgumentError("feature_names", value, "must name each column once")
    return tuple(listed)


def _function(argument: str, value: Any) -> Callable[..., Any]:
    if not callable(value):
        raise InvalidFunctionError(argument, value, "must be a function")
    function: Callable[..., Any] = value
    return function
