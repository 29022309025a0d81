"""`synth serve`: the object store, the Prefect and MLflow servers and the workers, on this machine."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from flows.services import Service, ServiceError, Services, end, free_port, spawn, wait_for
from storage import server as store_server

REPOSITORY = Path(__file__).parents[1]
POOLS = ("cpu", "gpu")


def serve(
    home: Path, *, prefect_port: int = 4200, mlflow_port: int = 5000, say: Callable[[str], None] = print
) -> Services:
    """Start what is not running yet and deploy every flow.

    Args:
        home: the state folder; logs go to ``logs/`` in it.
        prefect_port, mlflow_port: ports on loopback.
        say: told what was started and where it answers.

    Raises:
        ServiceError: a port is taken or a process does not come up.
    """
    services = Services.load(home)
    os.environ.update(store_server.start(home).environ())
    say(f"object store    {os.environ['MLFLOW_S3_ENDPOINT_URL']}")
    services = _ensure(services, home, "prefect", lambda: _prefect(home, free_port(prefect_port)))
    api = f"{_url(services, 'prefect')}/api"
    (REPOSITORY / "prefect.toml").write_text(
        f'# Written by `synth serve`, removed by `synth stop`.\napi.url = "{api}"\n'
    )
    os.environ["PREFECT_API_URL"] = api
    say(f"Prefect UI      {_url(services, 'prefect')}")
    services = _ensure(services, home, "mlflow", lambda: _mlflow(home, free_port(mlflow_port)))
    say(f"MLflow UI       {_url(services, 'mlflow')}")
    _deploy(home)
    for pool in POOLS:
        services = _ensure(services, home, f"worker-{pool}", lambda pool=pool: _worker(home, pool))
    say(f"workers         {', '.join(POOLS)}")
    return services


def stop(home: Path, *, say: Callable[[str], None] = print) -> None:
    """End exactly what `serve` started, workers first, the store last."""
    for service in reversed(Services.load(home).services):
        end(service)
        say(f"stopped {service.name}")
    Services().save(home)
    (REPOSITORY / "prefect.toml").unlink(missing_ok=True)
    if store_server.stop(home):
        say("stopped object store")


def _ensure(services: Services, home: Path, name: str, start: Callable[[], Service]) -> Services:
    if services.get(name) is None:
        services = services.plus(start())
        services.save(home)
    return services


def _url(services: Services, name: str) -> str:
    service = services.get(name)
    if service is None or service.url is None:
        raise ServiceError(f"{name} is not running")
    return service.url


def _prefect(home: Path, port: int) -> Service:
    url = f"http://127.0.0.1:{port}"
    argv = [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)]
    service = spawn("prefect", argv, {"PREFECT_API_URL": f"{url}/api"}, home / "logs" / "prefect.log", url)
    wait_for(service, f"{url}/api/health")
    return service


def _mlflow(home: Path, port: int) -> Service:
    url = f"http://127.0.0.1:{port}"
    argv = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    argv += ["--backend-store-uri", f"sqlite:///{home / 'mlflow.db'}", "--default-artifact-root", _artifacts()]
    env = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    service = spawn("mlflow", argv, env, home / "logs" / "mlflow.log", url)
    wait_for(service, f"{url}/health")
    return service


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
    argv = [sys.executable, "-m", "prefect", "--no-prompt", "deploy", "--all"]
    done = subprocess.run(argv, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    (home / "logs" / "deploy.log").write_text(done.stdout + done.stderr)
    if done.returncode != 0:
        raise ServiceError(f"`prefect deploy --all` failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")


def _worker(home: Path, pool: str) -> Service:
    argv = [
        sys.executable,
        "-m",
        "prefect",
        "worker",
        "start",
        "--pool",
        pool,
        "--name",
        f"{pool}-local",
        "--limit",
        "1",
    ]
    env = {"APP_HOME": str(REPOSITORY), "SYNTHCXR_HOME": str(home)}
    return spawn(f"worker-{pool}", argv, env, home / "logs" / f"worker-{pool}.log")
