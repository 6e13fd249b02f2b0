# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Superset's configuration: what differs from its defaults. Secrets come from the environment, without a default."""

from __future__ import annotations

import functools
import os
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import duckdb
import duckdb_engine
import duckdb_extension_httpfs
from superset.config import TALISMAN_CONFIG

SECRET_KEY = os.environ["SUPERSET_SECRET_KEY"]
SQLALCHEMY_DATABASE_URI = os.environ["SUPERSET_DATABASE_URI"]
# One process serves all: it counts in its own memory, and there is no worker.
RATELIMIT_STORAGE_URI = "memory://"
CELERY_CONFIG = None
# The gateway ends TLS.
ENABLE_PROXY_FIX = True
SESSION_COOKIE_SECURE = os.environ["SUPERSET_HTTPS"] == "true"
# Without the hosts that would be told of each page that is seen. The same dictionary as Superset's own.
TALISMAN_CONFIG["content_security_policy"]["img-src"] = ["'self'", "blob:", "data:"]
HTTPFS = Path(duckdb_extension_httpfs.__file__).parent / f"extensions/v{duckdb.__version__}/httpfs.duckdb_extension"


@functools.cache
def lake() -> duckdb.DuckDBPyConnection:
    """A DuckDB that reads the lake and nothing else: no query may read this container's files or change settings."""
    endpoint = urlsplit(os.environ["LAKE_AWS_ENDPOINT_URL"])
    secret = {
        "KEY_ID": os.environ["LAKE_AWS_ACCESS_KEY_ID"],
        "SECRET": os.environ["LAKE_AWS_SECRET_ACCESS_KEY"],
        "REGION": os.environ["LAKE_AWS_REGION"],
        "ENDPOINT": endpoint.netloc,
        "USE_SSL": endpoint.scheme == "https",
        "URL_STYLE": "path",
    }
    rules = {"allowed_directories": ["s3://lake/"], "enable_external_access": False, "lock_configuration": True}
    database = duckdb.connect(config={"memory_limit": os.environ["DUCKDB_MEMORY"], "allow_persistent_secrets": False})
    database.load_extension(str(HTTPFS))
    # No query sees a secret's value, as it would that of a setting or of a variable named AWS_*.
    database.execute(f"CREATE SECRET (TYPE s3, {', '.join(f'{name} {value!r}' for name, value in secret.items())})")
    for name, value in rules.items():
        database.execute(f"SET {name} = {value!r}")
    return database


class Reader:
    """A connection that takes nothing but SELECT: Superset lets COPY pass, which could write to the lake."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection

    def execute(self, query: str, *parameters: Any) -> duckdb.DuckDBPyConnection:
        """Run a query that only reads."""
        for statement in self._connection.extract_statements(query):
            if statement.type != duckdb.StatementType.SELECT:
                raise duckdb.PermissionException(f"The lake is only read here: no {statement.type.name}.")
        return self._connection.execute(query, *parameters)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)


def connect_lake() -> duckdb_engine.ConnectionWrapper:
    """Return a connection of its own to the one database."""
    return duckdb_engine.ConnectionWrapper(Reader(lake().cursor()))


def DB_CONNECTION_MUTATOR(uri: Any, params: dict[str, Any], *_who: Any) -> tuple[Any, dict[str, Any]]:
    """Superset's record of the database holds no key: the connection comes from here."""
    if uri.drivername == "duckdb":
        params["creator"] = connect_lake
    return uri, params
