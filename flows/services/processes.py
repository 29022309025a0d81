"""The record of what runs for a state folder; `storage.process` starts, finds and ends it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from pydantic import BaseModel, ConfigDict, ValidationError

from storage.errors import ServiceError
from storage.process import Say, Service, mark_of, marked, replace_file, say_on_stderr, wait_until

SERVED = ("prefect", "mlflow", "worker-cpu", "worker-gpu")
"""What `synth serve` starts besides the store, in this order."""


class Services(BaseModel):
    """What was started for a folder, kept in ``services.json`` of it."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    services: tuple[Service, ...] = ()

    @staticmethod
    def load(home: Path) -> Services:
        """The recorded services, dead ones too.

        Raises:
            ServiceError: the record is damaged while services of it run; without any it counts as empty.
        """
        path = home / "services.json"
        try:
            return Services.model_validate_json(path.read_bytes())
        except FileNotFoundError:
            return Services()
        except ValidationError:
            left = [name for name in SERVED if marked(mark_of(name, home))]
            if left:
                raise ServiceError(
                    f"{path} is cut short or foreign, while {', '.join(left)} run: `synth stop` ends them"
                ) from None
            return Services()

    def save(self, home: Path) -> None:
        """Write ``services.json``."""
        replace_file(home / "services.json", self.model_dump_json(indent=2))

    def recorded(self, name: str) -> Service | None:
        """The service called `name`, alive or not."""
        return next((service for service in self.services if service.name == name), None)

    def among(self, names: Iterable[str]) -> dict[str, Service | None]:
        """Services by name, alive or not; None for those that were not recorded."""
        return {name: self.recorded(name) for name in names}

    def get(self, name: str) -> Service | None:
        """The running service called `name`."""
        service = self.recorded(name)
        return service if service and service.process() else None

    def plus(self, service: Service) -> Services:
        """The same list with one more, in place of an earlier one of its name."""
        return Services(services=(*(other for other in self.services if other.name != service.name), service))


def wait_for(service: Service, url: str, seconds: float = 300, *, say: Say = say_on_stderr) -> None:
    """Wait until `url` of a service answers.

    Raises:
        ServiceError: see `storage.process.wait_until`.
    """

    def ready() -> str:
        try:
            with urlopen(url, timeout=2):
                return ""
        except (URLError, OSError) as error:
            return str(getattr(error, "reason", error))

    wait_until(service, ready, seconds, where=url, say=say)
