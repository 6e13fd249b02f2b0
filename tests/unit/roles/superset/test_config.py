# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""superset_config.py, with stand-ins for the packages that only the image has."""

import runpy
import sys
from enum import Enum
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from repository import ROOT

CONFIG = ROOT / "roles/superset/templates/superset_config.py"
ENVIRONMENT = {
    "SUPERSET_SECRET_KEY": "key",
    "SUPERSET_DATABASE_URI": "postgresql://superset:x@postgres.postgres:5432/superset",
    "SUPERSET_HTTPS": "false",
    "DUCKDB_MEMORY": "256MB",
    "LAKE_AWS_ENDPOINT_URL": "http://garage.garage:9000",
    "LAKE_AWS_REGION": "us-east-1",
    "LAKE_AWS_ACCESS_KEY_ID": "GK1",
    "LAKE_AWS_SECRET_ACCESS_KEY": "s3cret",
}


class Kind(Enum):
    """Kinds of statements."""

    SELECT = 1
    COPY = 2


class Database:
    """Stands in for DuckDB: writes down what it is told, in order."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def load_extension(self, path: str) -> None:
        self.told.append(f"LOAD {path}")

    def execute(self, statement: str) -> "Database":
        self.told.append(statement)
        return self

    def extract_statements(self, query: str) -> list[SimpleNamespace]:
        return [SimpleNamespace(type=Kind[each.split()[0].upper()]) for each in query.split(";")]

    def fetchall(self) -> str:
        return "rows"

    def cursor(self) -> "Database":
        return self


@pytest.fixture
def database(monkeypatch: pytest.MonkeyPatch) -> Database:
    made = Database()
    duckdb = ModuleType("duckdb")
    vars(duckdb).update(__version__="1.5.3", connect=lambda config: made.told.append(str(config)) or made)
    vars(duckdb).update(DuckDBPyConnection=Database, StatementType=Kind, PermissionException=PermissionError)
    extension = ModuleType("duckdb_extension_httpfs")
    extension.__file__ = "/opt/superset/duckdb_extension_httpfs/__init__.py"
    engine = ModuleType("duckdb_engine")
    vars(engine).update(ConnectionWrapper=lambda connection: connection)
    own = ModuleType("superset.config")
    policy = {"img-src": ["'self'", "https://telemetry.example"], "default-src": ["'self'"]}
    vars(own).update(TALISMAN_CONFIG={"content_security_policy": policy})
    for module in (duckdb, extension, engine, own, ModuleType("superset")):
        monkeypatch.setitem(sys.modules, module.__name__, module)
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    return made


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("name", ["SUPERSET_SECRET_KEY", "SUPERSET_DATABASE_URI", "SUPERSET_HTTPS"])
def test_what_is_secret_has_no_default(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    assert runpy.run_path(str(CONFIG))["SECRET_KEY"] == "key"
    monkeypatch.delenv(name)
    with pytest.raises(KeyError, match=name):
        runpy.run_path(str(CONFIG))


def test_a_query_reaches_the_lake_and_nothing_else(database: Database) -> None:
    config = runpy.run_path(str(CONFIG))
    params: dict[str, Any] = {}
    uri = SimpleNamespace(drivername="duckdb")
    assert config["DB_CONNECTION_MUTATOR"](uri, params, "user", None, None) == (uri, params)
    params["creator"]()
    assert database.told == [
        "{'memory_limit': '256MB', 'allow_persistent_secrets': False}",
        "LOAD /opt/superset/duckdb_extension_httpfs/extensions/v1.5.3/httpfs.duckdb_extension",
        "CREATE SECRET (TYPE s3, KEY_ID 'GK1', SECRET 's3cret', REGION 'us-east-1', ENDPOINT 'garage.garage:9000', "
        "USE_SSL False, URL_STYLE 'path')",
        "SET allowed_directories = ['s3://lake/']",
        "SET enable_external_access = False",
        "SET lock_configuration = True",
    ]
    told = len(database.told)
    params["creator"]()
    assert len(database.told) == told, "one database for all connections"


def test_a_connection_only_reads(database: Database) -> None:
    connection = runpy.run_path(str(CONFIG))["connect_lake"]()
    told = len(database.told)
    with pytest.raises(PermissionError, match="only read here: no COPY"):
        connection.execute("SELECT 1;COPY x TO 's3://lake/x'")
    assert len(database.told) == told
    assert connection.execute("SELECT 1").fetchall() == "rows"
    assert connection.fetchall() == "rows"


@pytest.mark.usefixtures("database")
def test_pages_tell_nobody_else() -> None:
    policy = runpy.run_path(str(CONFIG))["TALISMAN_CONFIG"]["content_security_policy"]
    assert policy == {"img-src": ["'self'", "blob:", "data:"], "default-src": ["'self'"]}


@pytest.mark.usefixtures("database")
def test_other_databases_are_connected_as_they_say() -> None:
    config = runpy.run_path(str(CONFIG))
    uri = SimpleNamespace(drivername="postgresql")
    assert config["DB_CONNECTION_MUTATOR"](uri, {}, "user", None, None) == (uri, {})
