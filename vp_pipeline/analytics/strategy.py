"""What a strategy is, and the list of those there are.

Here belong the decorator that lists a function as a strategy and the choice of its parameters. The functions
are in `published` and `rules`, what their weights earn is in `backtest`. Dagster's code server imports this
list and runs nothing: pandas, a quarter of its memory, is not imported before a function computes.
"""

from __future__ import annotations

import functools
import importlib
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Concatenate, ParamSpec, TypeAlias

if TYPE_CHECKING:
    import pandas as pd

    from vp_pipeline.analytics.history import History

P = ParamSpec("P")
Parameter = int | float | bool | str
Weights: TypeAlias = "Callable[..., pd.DataFrame]"

_LISTED: dict[str, Strategy] = {}
STRATEGIES: Mapping[str, Strategy] = MappingProxyType(_LISTED)


class StrategyError(ValueError):
    """A strategy cannot be had as it was asked for; the message says what there is."""


@dataclass(frozen=True)
class Strategy:
    """`weights` maps a history (or a table of returns) to weights; `benchmark` names a strategy or a symbol.

    `looks_ahead` says that weights use returns of their own or later days: nobody could have held them.
    `published` says that the strategy is kept as its document has it.
    """

    title: str
    description: str
    weights: Weights
    looks_ahead: bool
    benchmark: str
    published: bool = False
    parameters: Mapping[str, Parameter] = field(default_factory=dict)

    @property
    def given(self) -> Mapping[str, Parameter]:
        """The parameters that have a value: an empty text is none."""
        return {name: value for name, value in self.parameters.items() if value != ""}


def strategy(
    title: str, *, benchmark: str = "equal_weight", looks_ahead: bool = False, published: bool = False
) -> Callable[
    [Callable[Concatenate[History, P], pd.DataFrame]],
    Callable[Concatenate[History | pd.DataFrame, P], pd.DataFrame],
]:
    """List a function under its name; the first paragraph of its docstring describes it.

    The function takes a `History` and, by name, parameters that have defaults. It returns weights of the
    shape of the returns: those of a row are held through the returns of that row, so that they may use
    earlier rows only.
    """

    def listed(
        function: Callable[Concatenate[History, P], pd.DataFrame],
    ) -> Callable[Concatenate[History | pd.DataFrame, P], pd.DataFrame]:
        @functools.wraps(function)
        def weights(known: History | pd.DataFrame, /, *args: P.args, **kwargs: P.kwargs) -> pd.DataFrame:
            from vp_pipeline.analytics.history import history_of

            return function(history_of(known), *args, **kwargs)

        _LISTED[function.__name__] = Strategy(
            title,
            _first_paragraph(function),
            weights,
            looks_ahead,
            benchmark,
            published,
            _defaults(function),
        )
        return weights

    return listed


def configured(
    rule: str,
    parameters: Mapping[str, Parameter] | None = None,
    *,
    title: str | None = None,
    benchmark: str | None = None,
) -> Strategy:
    """A listed strategy, or the function `module:function`, with parameters of one's own.

    Raises:
        StrategyError: there is no such strategy or parameter, or a value of another type.
    """
    known = _imported(rule) if ":" in rule else STRATEGIES.get(rule)
    if known is None:
        raise StrategyError(f"there is no strategy {rule!r}; there are {', '.join(STRATEGIES)}")
    chosen = {name: _value(rule, known, name, value) for name, value in (parameters or {}).items()}
    return replace(
        known,
        title=title or known.title,
        benchmark=benchmark or known.benchmark,
        parameters={**known.parameters, **chosen},
        weights=functools.partial(known.weights, **chosen) if chosen else known.weights,
    )


def _value(rule: str, known: Strategy, name: str, value: Parameter) -> Parameter:
    if name not in known.parameters:
        there = ", ".join(known.parameters) or "none"
        raise StrategyError(f"{rule} has no parameter {name!r}; there are {there}")
    kind = type(known.parameters[name])
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if type(value) is not kind:
        raise StrategyError(f"{rule}: {name} is {value!r}, but has to be {_NAMES[kind]}")
    return value


_NAMES: dict[type, str] = {
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    str: "a text",
}


def _imported(path: str) -> Strategy:
    module, _, name = path.partition(":")
    try:
        function = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise StrategyError(f"{path}: cannot be imported ({error}): write it as module:function") from error
    if name in STRATEGIES and STRATEGIES[name].weights is function:
        return STRATEGIES[name]

    def weights(known: History | pd.DataFrame, **parameters: Parameter) -> pd.DataFrame:
        from vp_pipeline.analytics.history import history_of

        found: pd.DataFrame = function(history_of(known), **parameters)
        return found

    title = name.replace("_", " ").capitalize()
    return Strategy(
        title, _first_paragraph(function), weights, False, "equal_weight", parameters=_defaults(function)
    )


def _first_paragraph(function: Callable[..., pd.DataFrame]) -> str:
    return " ".join((inspect.getdoc(function) or function.__name__).split("\n\n")[0].split())


def _defaults(function: Callable[..., pd.DataFrame]) -> dict[str, Parameter]:
    given = list(inspect.signature(function).parameters.values())[1:]
    without = [one.name for one in given if one.default is one.empty]
    if without:
        raise StrategyError(f"{function.__name__}: the parameter {without[0]!r} needs a default")
    return {one.name: one.default for one in given}
