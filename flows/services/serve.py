"""`synth serve`: the object store, the Prefect and MLflow servers and the workers, on this machine."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from flows.services.home import DEPLOYMENTS, WRITTEN, in_checkout, workspace
from flows.services.prefect_server import answers, pointed_at, stop_shared
from flows.services.prefect_server import users as prefect_users
from flows.services.processes import SERVED, Services, wait_for
from flows.services.served import lock_of
from flows.services.served import users as served_users
from flows.services.sessions import sweep
from storage import leases
from storage import server as store_server
from storage.errors import ServiceError
from storage.locks import locked
from storage.process import SAFE_PATH, Service, described, end_services, free_port, mark_on, spawn
from storage.server import StoreAddress

POOLS = ("cpu", "gpu")
_STOPPED = "stopped; what was started is ended again, and `synth serve` starts it anew"


def serve(
    home: Path, *, prefect_port: int = 4200, mlflow_port: int = 5000, say: Callable[[str], None] = print
) -> Services:
    """Start what is not running yet and deploy every flow; where that fails, what was started is ended again.

    Args:
        home: the state folder; logs go to ``logs/`` in it.
        prefect_port, mlflow_port: ports on loopback.
        say: called with what was started and its address, a line at a time.

    Raises:
        ServiceError: a port is taken, a process does not come up, or another `synth serve` takes too long.
    """
    with locked(lock_of(home), wait=300):
        sweep(home)
        before = Services.load(home)
        try:
            with store_server.use(home) as store, _all_or_nothing(home, before):
                services = _start_all(home, before, store, (prefect_port, mlflow_port), say)
                store_server.start(home)  # it runs: now it stays
                return services
        except KeyboardInterrupt:
            raise KeyboardInterrupt(_STOPPED) from None


def stop(home: Path, *, force: bool = False, say: Callable[[str], None] = print) -> None:
    """End what `serve` started, workers first, the store last, and what runs left behind that were killed.

    Args:
        home: the state folder.
        force: end it under runs that use it, too.
        say: called with what was ended, a line at a time.

    Raises:
        ServiceError: a run that `serve` did not start still uses a service.
    """
    with locked(lock_of(home)):
        if not force and (users := _users(home)):
            raise ServiceError(
                f"{', '.join(users)} still runs: end it first (Ctrl-C, or kill), or end everything under "
                "it with `synth stop --force`"
            )
        try:
            services = Services.load(home)
        except ServiceError:  # damaged: the marks of the processes remain
            services = Services()
        for name in reversed(SERVED):
            if end_services(home, services.among([name])):
                say(f"stopped {name}")
        _forget_api(home, services)
        (home / "services.json").unlink(missing_ok=True)
        if stop_shared(home):
            say("stopped the Prefect server of runs that were killed")
        if left := sweep(home):
            say(f"stopped {left} more processes of runs that were killed")
        if store_server.stop(home):
            say("stopped object store")


def _start_all(
    home: Path, services: Services, store: StoreAddress, ports: tuple[int, int], say: Callable[[str], None]
) -> Services:
    say(f"object store    {store.endpoint}")
    services = _ensure(home, services, "prefect", lambda: _prefect(home, ports[0]), "/api/health")
    api = f"{_url(services, 'prefect')}/api"
    (workspace(home) / "prefect.toml").write_text(_api_setting(api))
    say(f"Prefect UI      {_url(services, 'prefect')}")
    if not in_checkout():
        say(f"from a shell    export PREFECT_API_URL={api}")
    services = _ensure(home, services, "mlflow", lambda: _mlflow(home, ports[1], store, say), "/health")
    say(f"MLflow UI       {_url(services, 'mlflow')}")
    with pointed_at(api):
        _deploy(home)
    for pool in POOLS:
        services = _ensure(home, services, f"worker-{pool}", lambda pool=pool: _worker(home, pool, api))
    say(f"workers         {', '.join(POOLS)}")
    return services


@contextmanager
def _all_or_nothing(home: Path, before: Services) -> Iterator[None]:
    """A block that starts services; those that it started are ended where it does not come to its end."""
    lease = leases.take(home / "starting", lambda seconds: _undo(home, before, seconds))
    try:
        yield
        lease.ends = False
    finally:
        leases.leave(lease, 1)


def _undo(home: Path, before: Services, seconds: float) -> None:
    now = Services.load(home)
    fresh = [name for name in SERVED if before.get(name) is None]
    end_services(home, now.among(fresh), seconds)
    if "prefect" in fresh:
        _forget_api(home, now)
    before.save(home)


def _users(home: Path) -> list[str]:
    """The runs that use the store, Prefect or MLflow, but for those that the workers started."""
    users = (*store_server.users(home), *prefect_users(home), *served_users(home))
    found = {user.pid: user.live() for user in users}
    own = [pid for pid, user in found.items() if user and not mark_on(user).startswith("worker-")]
    return [described(pid) for pid in own if pid != os.getpid()]


def _ensure(home: Path, services: Services, name: str, start: Callable[[], Service], health: str = "") -> Services:
    """The services with `name` among them, which answers; it is recorded before it is waited for."""
    service = services.get(name)
    if service is None:
        end_services(home, services.among([name]))  # what is left where its parent was killed
        service = start()
        services = services.plus(service)
        services.save(home)
    if health:
        wait_for(service, f"{service.url}{health}")
    return services


def _api_setting(api: str) -> str:
    return f'{WRITTEN}api.url = "{api}"\n'


def _forget_api(home: Path, services: Services) -> None:
    """Remove the ``prefect.toml`` that `serve` wrote, unless it is that of another state folder."""
    path, prefect = workspace(home) / "prefect.toml", services.recorded("prefect")
    text = path.read_text(errors="replace") if path.is_file() else ""
    ours = prefect is not None and text == _api_setting(f"{prefect.url}/api")
    if ours or (text.startswith(WRITTEN) and not answers(text.removeprefix(WRITTEN).partition('"')[2].strip('"\n'))):
        path.unlink()


def _url(services: Services, name: str) -> str:
    service = services.get(name)
    if service is None or service.url is None:
        raise ServiceError(f"{name} is not running")
    return service.url


def _prefect(home: Path, port: int) -> Service:
    url = f"http://127.0.0.1:{free_port(port)}"
    argv = [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)]
    return spawn("prefect", home, argv, {**os.environ, "PREFECT_API_URL": f"{url}/api"}, url=url)


def _mlflow(home: Path, port: int, store: StoreAddress, say: Callable[[str], None]) -> Service:
    from tasks.track.database import database_uri, ensure_database  # loads mlflow

    database = home / "mlflow.db"
    ensure_database(database, say)
    url = f"http://127.0.0.1:{free_port(port)}"
    argv = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    argv += ["--backend-store-uri", database_uri(database), "--default-artifact-root", _artifacts()]
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "MLFLOW_S3_"))}
    env = {**clean, **store.environ(), "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    env["UVICORN_APP_DIR"] = str(home)  # uvicorn puts the current folder on the import path, unless told another
    return spawn("mlflow", home, argv, env, url=url)


def _artifacts() -> str:
    return f"s3://{store_server.BUCKET}/mlflow"


def _deploy(home: Path) -> None:
    """Create the work pools and apply ``prefect.yaml``."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.actions import WorkPoolCreate
    from prefect.workers.process import ProcessWorker

    template = ProcessWorker.get_default_base_job_template()
    with get_client(sync_client=True) as client:
        for pool in POOLS:
            work_pool = WorkPoolCreate(name=pool, type="process", base_job_template=template)
            client.create_work_pool(work_pool, overwrite=True)
    argv = [sys.executable, "-m", "prefect", "--no-prompt", "deploy", "--all", "--prefect-file", str(DEPLOYMENTS)]
    done = subprocess.run(
        argv,
        cwd=workspace(home),
        env={**os.environ, **SAFE_PATH},
        capture_output=True,
        text=True,
        check=False,
        start_new_session=True,
    )
    (home / "logs" / "deploy.log").write_text(done.stdout + done.stderr)
    if done.returncode != 0:
        raise ServiceError(f"`prefect deploy --all` failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")


def _worker(home: Path, pool: str, api: str) -> Service:
    argv = [sys.executable, "-m", "prefect", "worker", "start", "--pool", pool, "--name", f"{pool}-local"]
    argv += ["--limit", "1"]
    env = {**os.environ, "APP_HOME": str(workspace(home)), "SYNTHCXR_HOME": str(home), "PREFECT_API_URL": api}
    return spawn(f"worker-{pool}", home, argv, env)
