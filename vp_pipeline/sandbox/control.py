"""The sandbox's own endpoints below /_sandbox/: its clock, its faults, its health."""

from typing import Annotated, Any, TypeVar

from aiohttp import web
from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError

from vp_pipeline.sandbox.clock import Clock
from vp_pipeline.sandbox.faults import ARCHIVE, Fault, Faults, Instant
from vp_pipeline.sandbox.source import CandleSource
from vp_pipeline.sandbox.wire import WIRES

_Setting = TypeVar("_Setting", bound=BaseModel)


def _known(fault: Fault) -> Fault:
    names = (*WIRES, ARCHIVE)
    if fault.exchange not in names:
        raise ValueError(f"no exchange {fault.exchange!r}; there are {', '.join(names)}")
    return fault


class ClockSetting(BaseModel):
    """Body of PUT /_sandbox/clock; `now` null goes back to real time."""

    model_config = ConfigDict(extra="forbid")

    now: Instant | None
    frozen: bool = False


class FaultSetting(BaseModel):
    """Body of PUT /_sandbox/faults: the faults from now on, in place of those before."""

    model_config = ConfigDict(extra="forbid")

    faults: list[Annotated[Fault, AfterValidator(_known)]]


def add_routes(app: web.Application, source: CandleSource, clock: Clock, faults: Faults) -> None:
    """Register the control endpoints."""

    def clock_state() -> dict[str, Any]:
        return {"now": clock.now().isoformat(), "frozen": clock.frozen, "real": clock.real}

    def fault_state() -> dict[str, Any]:
        return {"faults": [fault.model_dump(mode="json", exclude_none=True) for fault in faults.active()]}

    async def get_clock(_: web.Request) -> web.Response:
        return web.json_response(clock_state())

    async def put_clock(request: web.Request) -> web.Response:
        setting = await read_body(request, ClockSetting)
        clock.set(setting.now, frozen=setting.frozen)
        return web.json_response(clock_state())

    async def get_faults(_: web.Request) -> web.Response:
        return web.json_response(fault_state())

    async def put_faults(request: web.Request) -> web.Response:
        setting = await read_body(request, FaultSetting)
        faults.replace(setting.faults)
        return web.json_response(fault_state())

    async def health(_: web.Request) -> web.Response:
        state = {
            "status": "ok",
            "label": source.label,
            "source": source.description,
            "clock": clock_state(),
            "markets": {name: [market.symbol for market in source.markets(name)] for name in WIRES},
        }
        return web.json_response(state)

    app.router.add_get("/_sandbox/health", health)
    app.router.add_get("/_sandbox/clock", get_clock)
    app.router.add_put("/_sandbox/clock", put_clock)
    app.router.add_get("/_sandbox/faults", get_faults)
    app.router.add_put("/_sandbox/faults", put_faults)


async def read_body(request: web.Request, model: type[_Setting]) -> _Setting:
    """The body of a request as `model`; HTTP 400 that says what is wrong with it."""
    try:
        return model.model_validate_json(await request.read())
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(str(part) for part in problem['loc']) or 'body'}: {problem['msg']}"
            for problem in error.errors()
        )
        raise web.HTTPBadRequest(text=f"{request.path}: {problems}") from error
