import os
from types import TracebackType
from typing import Any, Mapping, Optional, Sequence, Tuple, Type, TypedDict, Union

import numpy

__version__: str

class Error(ValueError): ...

class Chain:
    def __eq__(self, other: object) -> bool: ...
    def __hash__(self) -> int: ...

def parse(text: str) -> Chain: ...

class StepReport:
    @property
    def taken(self) -> bool: ...
    @property
    def parameter(self) -> Optional[str]: ...

class EvaluationPoint:
    def __enter__(self) -> EvaluationPoint: ...
    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None: ...

class _StateDict(TypedDict):
    state: dict[str, numpy.ndarray[Any, Any]]
    metadata: dict[str, str]

class Optimizer:
    def __init__(
        self,
        chain: Union[str, Chain],
        params: Union[Mapping[str, numpy.ndarray[Any, Any]], Sequence[Tuple[str, numpy.ndarray[Any, Any]]]],
        *,
        lr: float = 1e-3,
        weight_decay: float = 0,
        warmup_steps: int = 0,
        weight_lr_power: float = 2,
        r: float = 0,
        roles: Mapping[str, str] = {},
        lr_factors: Mapping[str, float] = {},
        weight_decay_factors: Mapping[str, float] = {},
        threads: Optional[int] = None,
    ) -> None: ...
    def step(
        self,
        gradients: Union[Mapping[str, numpy.ndarray[Any, Any]], Sequence[numpy.ndarray[Any, Any]]],
        loss: Optional[float] = None,
    ) -> StepReport: ...
    def evaluation_point(self) -> EvaluationPoint: ...
    def averaged(self, name: str) -> numpy.ndarray[Any, Any]: ...
    def state_dict(self) -> _StateDict: ...
    def load_state_dict(self, state_dict: _StateDict) -> None: ...
    def save(self, path: Union[str, os.PathLike[str]]) -> None: ...
    def load(self, path: Union[str, os.PathLike[str]]) -> None: ...
    def describe(self) -> str: ...
    @property
    def steps(self) -> int: ...
    @property
    def lr(self) -> float: ...
    @lr.setter
    def lr(self, lr: float) -> None: ...
    @property
    def chain(self) -> Chain: ...
