# Copyright: Open Data Platform contributors; Apache-2.0 (see LICENSE)
"""Download and build artifacts as jobs; each result is complete in the store or absent."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .build import images, recipes
from .build.jobs import Job, JobError, Shell, run_jobs
from .download import extract, fetch_file, release_checksum
from .lockfile import changed_release
from .plan import Choice, registry_url, version_of
from .registry import image_digest, push_registry
from .store import Store

Table = dict[str, dict[str, Any]]
BUILDERS: dict[str, Callable[[recipes.Workplace], None]] = {
    "go": recipes.build_go,
    "module_files": recipes.build_module_files,
    "crate": recipes.build_crate,
    "pypi": recipes.build_pypi,
    "python": recipes.build_python,
    "own": recipes.build_own,
    "deb": recipes.build_deb,
    "copy": recipes.build_copy,
    "root": images.build_root,
}


class Maker:
    """Turns due choices into jobs and runs them."""

    def __init__(
        self,
        store: Store,
        collection: Path,
        table: Table,
        choices: dict[str, Choice],
        registries: dict[str, str],
        lock: Table,
        lock_path: str,
    ) -> None:
        """Create a maker; ``lock`` has the releases that earlier runs downloaded."""
        self.store, self.collection, self.table, self.choices = store, collection, table, choices
        self.registries, self.lock, self.lock_path = registries, lock, lock_path
        self.pushing, self.push_address, self.ends = threading.Lock(), "", contextlib.ExitStack()

    def run(self, at_once: int, say: Callable[[str], None]) -> dict[str, float]:
        """Run all due jobs and return the seconds of each."""
        jobs = [self._job(choice) for choice in self.choices.values() if not choice.present]
        with self.ends:
            return run_jobs(jobs, self.store.logs, at_once, say)

    def _job(self, choice: Choice) -> Job:
        entry = self.table[choice.name]
        what = entry.get("image") or f"{choice.name} {version_of(entry, choice.origin)}".strip()
        built = choice.origin == "build"
        return Job(
            name=choice.name,
            label=f"{'build' if built else 'download'} {what}",
            work=lambda shell: self._make(choice, shell),
            needs=entry.get("needs", []) if built else [],
            seconds=entry["build"].get("seconds", 5) if built else 10,
            # A compiler uses every CPU: two at once are not faster and need twice the memory.
            group="compiler" if built and entry["build"]["kind"] in ("go", "crate") else "",
        )

    def _make(self, choice: Choice, shell: Shell) -> None:
        """Create an artifact in a workspace and move it into the store."""
        entry = self.table[choice.name]
        with self.store.workspace(choice.name) as (work, lock):
            out = work / "out"
            out.mkdir()
            place = recipes.Workplace(
                name=choice.name,
                entry=entry,
                shell=shell,
                out=out,
                work=work,
                lock=lock,
                cache=self.store.cache,
                collection=self.collection,
                needs={need: self.path(need) for need in entry.get("needs", []) if need in self.choices},
                facts={"origin": choice.origin, "version": version_of(entry, choice.origin)},
            )
            if choice.origin == "download":
                self._download(place)
            elif entry["build"]["kind"] == "image":
                images.build_image(place, self._push_address())
            else:
                BUILDERS[entry["build"]["kind"]](place)
            for name in entry.get("binaries", []):
                (out / name).chmod(0o755)
            self.store.keep(out, choice.name, choice.key, bool(entry.get("tree")), place.facts)

    def path(self, name: str) -> Path:
        """Return the directory of an artifact of the plan."""
        return self.store.path(name, self.choices[name].key, bool(self.table[name].get("tree")))

    def _push_address(self) -> str:
        with self.pushing:
            if not self.push_address:
                binary = str(self.path("registry") / "docker-registry")
                registry = push_registry(binary, self.store.registry, self.store.logs / "push-registry.log")
                self.push_address = self.ends.enter_context(registry)
            return self.push_address

    def _refuse_changed(self, name: str, entry: dict[str, Any], url: str, **seen: str) -> None:
        new = {"version": entry.get("version", ""), **seen}
        if findings := changed_release(name, self.lock.get(name), new, url, self.lock_path):
            raise JobError(" ".join(findings))

    def _download(self, place: recipes.Workplace) -> None:
        """Get the digest of an image, or download the files of a release, each archive once."""
        entry = place.entry
        if image := entry.get("image"):
            base = registry_url(image, self.registries)
            place.facts["digest"] = image_digest(image, base)
            self._refuse_changed(image, entry, base, digest=place.facts["digest"])
            return
        checksums: dict[str, str] = {}
        fetched: dict[str, Path] = {}
        for name, release in entry["download"].items():
            url = release["url"]
            if url not in fetched:
                checksums[url] = release_checksum(name, release)
                self._refuse_changed(name, entry, url, checksum=checksums[url])
                fetched[url] = place.work / f"release-{len(fetched)}"
                fetch_file(name, release, checksums[url], fetched[url], place.shell.stop.is_set)
            if release.get("member"):
                extract(name, url, fetched[url], release["member"], place.out / name)
            else:
                fetched[url].rename(place.out / name)
        place.facts["checksums"] = {name: checksums[release["url"]] for name, release in entry["download"].items()}
