"""The Prefect API that a run uses: the served one, the user's own, or one that the runs of a state folder share."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

from flows.services.home import WRITTEN
from flows.services.processes import Services, wait_for
from flows.services.served import served
from storage import leases
from storage.addresses import redact
from storage.errors import ServiceError
from storage.locks import locked
from storage.process import Identity, Say, end_services, free_port, say_on_stderr, spawn

SHARED = "prefect-run"
_API = "PREFECT_API_URL"
_SILENT = (
    f"the Prefect API {{}} does not answer: start it, or take away {_API} (or the Prefect setting api.url) to run "
    "without it"
)
_SERVED_IS_SILENT = (
    "the Prefect server of `synth serve` at {} does not answer: `synth stop` ends it, and `synth serve` starts it anew"
)


@contextmanager
def prefect_api(home: Path, *, say: Say = say_on_stderr) -> Iterator[None]:
    """Flows inside the block use an API that answers; one that had to be started ends with the last that uses it.

    The environment's comes first, then that of `synth serve`, then that of Prefect's own settings.

    Raises:
        ServiceError: the configured API does not answer, or none can be started.
    """
    own = os.environ.get(_API)
    with served(home, "prefect", own, say=say) as server:
        if url := own or (f"{server}/api" if server else _setting()):
            if not answers(url):
                raise ServiceError(_SERVED_IS_SILENT.format(server) if server else _SILENT.format(redact(url)))
            with pointed_at(url):
                yield
            return
    with shared_server(home, say=say) as url, pointed_at(url):
        try:
            yield
        except KeyboardInterrupt:
            raise
        except BaseException:
            _send_the_rest()
            raise
        _send_the_rest()


@contextmanager
def shared_server(home: Path, *, say: Say = say_on_stderr) -> Iterator[str]:
    """The API of a Prefect server that all runs of the state folder use, and the last of them ends."""
    with leases.shared(
        home / SHARED, lambda _: _running(home) or _start(home), lambda wait: _end(home, wait), seconds=5, say=say
    ) as url:
        yield url


def stop_shared(home: Path) -> bool:
    """End the server that runs share, whoever uses it; True when there was one."""
    if not (home / SHARED).is_dir():
        return False
    with locked(home / SHARED / "lock"):
        return _end(home, 5)


def users(home: Path) -> list[Identity]:
    """The live runs that share a Prefect server."""
    return leases.holders(home / SHARED)


def _running(home: Path) -> str | None:
    service = Services.load(home / SHARED).get(SHARED)
    url = f"{service.url}/api" if service and service.url else None
    if url and answers(url):
        return url
    _end(home, 5)
    return None


def _start(home: Path) -> str:
    url = f"http://127.0.0.1:{free_port()}"
    argv = [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--no-ui", "--no-services"]
    argv += ["--port", url.rpartition(":")[2]]
    service = spawn(SHARED, home, argv, {**os.environ, _API: f"{url}/api"}, url=url)
    Services(services=(service,)).save(home / SHARED)
    wait_for(service, f"{url}/api/health")
    return f"{url}/api"


def _end(home: Path, seconds: float) -> bool:
    found = end_services(home, Services.load(home / SHARED).among([SHARED]), seconds)
    (home / SHARED / "services.json").unlink(missing_ok=True)
    return found


def _setting() -> str | None:
    """The API of Prefect's own settings."""
    from prefect.settings import get_current_settings

    url = get_current_settings().api.url
    return None if url is None or (_left_behind() and not answers(url)) else url


def _left_behind() -> bool:
    """Whether Prefect's settings are those of a `synth serve` that a machine took down with it."""
    path = Path("prefect.toml")
    return path.is_file() and path.read_text(errors="replace").startswith(WRITTEN)


def answers(url: str) -> bool:
    """Whether a Prefect API is there."""
    try:
        with urlopen(f"{url.rstrip('/')}/health", timeout=5):
            return True
    except HTTPError:
        return True  # it requires a login
    except (URLError, OSError, ValueError):
        return False


@contextmanager
def pointed_at(url: str) -> Iterator[None]:
    """Use this API inside the block. Prefect reads its settings when it is loaded, so they are read again."""
    before = os.environ.get(_API)
    os.environ[_API] = url
    _read_settings()
    try:
        yield
    finally:
        if before is None:
            del os.environ[_API]
        else:
            os.environ[_API] = before
        _read_settings()


def _read_settings() -> None:
    import prefect.context

    prefect.context.refresh_global_settings_context()


def _send_the_rest() -> None:
    """Logs and events that wait must reach the server before it ends."""
    from prefect.events.worker import EventsWorker
    from prefect.logging.handlers import APILogWorker

    for worker in (EventsWorker, APILogWorker):
        worker.drain_all(timeout=5)
