# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Make Superset's database what it must be, in one process. Each step may be repeated and may follow a kill."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import flask_migrate
import sqlalchemy
import yaml
from superset.app import create_app
from werkzeug.security import check_password_hash

ASSETS = Path(__file__).with_name("assets.yaml")
# Any number that all processes of this kind share.
LOCK = 731_010


def upgrade() -> None:
    """Bring the tables to this version."""
    import superset

    flask_migrate.upgrade(directory=str(Path(superset.__file__).parent / "migrations"))


def roles() -> None:
    """Bring roles and permissions to this version."""
    from superset.extensions import appbuilder, security_manager

    appbuilder.add_permissions(update_perms=True)
    security_manager.sync_role_definitions()


def administrator() -> None:
    """The administrator's password is the one in the Secret."""
    from superset.extensions import security_manager as security

    name, password = os.environ["SUPERSET_ADMIN_USERNAME"], os.environ["SUPERSET_ADMIN_PASSWORD"]
    user = security.find_user(name)
    if not user:
        security.add_user(name, "Admin", "Admin", f"{name}@localhost", security.find_role("Admin"), password)
    elif not check_password_hash(user.password, password):
        security.reset_password(user.id, password)


def assets() -> None:
    """Import database, dataset, charts and dashboard; what was altered by hand is mended."""
    from superset.commands.importers.v1.assets import ImportAssetsCommand
    from superset.extensions import security_manager
    from superset.utils.core import override_user

    files = yaml.safe_load(ASSETS.read_text())
    with override_user(security_manager.find_user(os.environ["SUPERSET_ADMIN_USERNAME"])):
        ImportAssetsCommand({name: yaml.safe_dump(content) for name, content in files.items()}).run()


def main() -> None:
    """Run the steps, one process at a time."""
    app = create_app()
    engine = sqlalchemy.create_engine(app.config["SQLALCHEMY_DATABASE_URI"])
    with app.app_context(), engine.connect() as lock:
        lock.execute(sqlalchemy.text("SELECT pg_advisory_lock(:number)"), {"number": LOCK})
        for step in (upgrade, roles, administrator, assets):
            started = time.monotonic()
            step()
            print(f"{step.__name__}: {time.monotonic() - started:.1f} s", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
