"""Dagster's own settings, written where Dagster looks for them; WINNOW_POSTGRES_URL puts its runs into Postgres."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

from resources.lake import LakeError

SETTINGS = Path(__file__).resolve().parents[1] / "dagster.yaml"
VARIABLE = "WINNOW_POSTGRES_URL"

SCHEME = "postgresql+psycopg2://"
"""The driver is named: for plain postgresql:// SQLAlchemy 2.1 looks for another one than dagster-postgres brings."""

CONNECT_SECONDS = 10

POSTGRES = f"""\
# The address holds a password: Dagster reads it from the environment, and it is written nowhere.
storage:
  postgres:
    postgres_url:
      env: {VARIABLE}
"""


class InstanceError(LakeError):
    """Dagster's runs cannot be kept where the environment says; the message says why and what to do."""


def write_instance(dagster_home: Path) -> None:
    """Write dagster.yaml into Dagster's folder, with Postgres as its storage where WINNOW_POSTGRES_URL is set.

    Raises InstanceError where that is no such address, dagster-postgres is not installed, or the server does not answer.
    """
    settings = SETTINGS.read_text(encoding="utf-8")
    url = os.environ.get(VARIABLE, "")
    if url:
        if not url.startswith(SCHEME):
            raise InstanceError(f"{VARIABLE} must be an address such as {SCHEME}USER:PASSWORD@HOST:5432/DATABASE")
        if importlib.util.find_spec("dagster_postgres") is None:
            raise InstanceError(
                f"{VARIABLE} is set, but dagster-postgres is not installed: pip install 'winnow[postgres]'"
            )
        _reach(url)
        settings += POSTGRES
    dagster_home.mkdir(parents=True, exist_ok=True)
    path = dagster_home / "dagster.yaml"
    # A UI that is running may be reading it.
    if not path.exists() or path.read_text(encoding="utf-8") != settings:
        path.write_text(settings, encoding="utf-8")


def _reach(url: str) -> None:
    """Raise InstanceError where the server does not let us in: Dagster tries for long, and says it with a traceback."""
    import psycopg2

    try:
        psycopg2.connect(url.replace(SCHEME, "postgresql://", 1), connect_timeout=CONNECT_SECONDS).close()
    except psycopg2.Error as error:
        why = " ".join(str(error).split())
        raise InstanceError(f"{VARIABLE} is set, but Postgres cannot be used: {why}") from error
