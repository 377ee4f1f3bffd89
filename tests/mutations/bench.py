"""A scratch copy of the dbt project beside an empty database with its models, where a model's unit tests are asked."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dbt.cli.main import dbtRunner
from dbt.contracts.graph.manifest import Manifest

from local.temporary import temporary_server
from ml.settings import Settings
from tests.conftest import ROOT, fresh_database, settings_of
from tests.mutations.flips import Flip

AS_OF = "2024-03-31"


@dataclass(frozen=True)
class Verdict:
    """What the unit tests of a model said about one flip: the names of those that fell, or why they could not run."""

    fell: tuple[str, ...] = ()
    refused: str = ""

    @property
    def is_silent(self) -> bool:
        """Whether all of them ran and passed."""
        return not self.fell and not self.refused


class Bench:
    """Asks the unit tests of one model at a time, in this process, which reads the project once."""

    def __init__(self, project: Path) -> None:
        self.project = project
        self._read: Manifest | None = None
        done = self._run("build", "--exclude-resource-type", "test", "--exclude-resource-type", "unit_test")
        assert done.success, [f"{one.node.name}: {one.message}" for one in done.result or [] if one.status == "error"]
        self._read = dbtRunner().invoke(["parse", *self._words]).result

    @property
    def models(self) -> Path:
        """The folder of the models' texts."""
        return self.project / "models"

    def ask(self, model: str) -> Verdict:
        """Return what the unit tests of a model say about its text as it lies in the scratch copy."""
        node = self._manifest.nodes[f"model.bundles.{model}"]
        node.raw_code = (self.project / node.original_file_path).read_text("utf-8").strip()
        node.compiled, node.compiled_code = False, None
        done = self._run("test", "--select", f"{model},test_type:unit")
        if done.exception or done.result is None:
            return Verdict(refused=_first_line(str(done.exception)))
        refused = [one.message or "" for one in done.result if one.status == "error"]
        if refused:
            return Verdict(refused=_first_line(refused[0]))
        return Verdict(tuple(sorted(one.node.name for one in done.result if one.status == "fail")))

    def try_flip(self, flip: Flip) -> Verdict:
        """Ask the unit tests about a flip, and put the model's text back."""
        path = next(self.models.rglob(f"{flip.model}.sql"))
        text = path.read_text("utf-8")
        path.write_text(flip.applied(text), "utf-8")
        try:
            return self.ask(flip.model)
        finally:
            path.write_text(text, "utf-8")

    @property
    def _manifest(self) -> Manifest:
        assert self._read is not None
        return self._read

    @property
    def _words(self) -> list[str]:
        where, target = str(self.project), str(self.project / "target")
        return [
            "--project-dir",
            where,
            "--profiles-dir",
            where,
            "--target-path",
            target,
            "--log-path",
            target,
            "--log-level",
            "none",
        ]

    def _run(self, *words: str) -> Any:
        return dbtRunner(manifest=self._read).invoke([*words, *self._words])


@contextmanager
def bench(home: Path) -> Iterator[Bench]:
    """Give a bench on a server of its own."""
    with (
        temporary_server(home) as server,
        fresh_database(server, "mutations") as name,
        bench_on(settings_of(server, name), home) as made,
    ):
        yield made


@contextmanager
def bench_on(settings: Settings, home: Path) -> Iterator[Bench]:
    """Give a bench on a database that is there and holds no rows."""
    where = settings.warehouse
    told = {
        "BUNDLES_WAREHOUSE__HOST": where.host,
        "BUNDLES_WAREHOUSE__PORT": str(where.port),
        "BUNDLES_WAREHOUSE__DATABASE": where.database,
        "BUNDLES_WAREHOUSE__TRANSFORMER_PASSWORD": where.password("transformer"),
        "BUNDLES_AS_OF": AS_OF,
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
    }
    before = {name: os.environ.get(name) for name in told}
    os.environ.update(told)
    try:
        project = home / "dbt_project"
        shutil.copytree(ROOT / "dbt_project", project, ignore=shutil.ignore_patterns("target", "logs"))
        yield Bench(project)
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name)
            else:
                os.environ[name] = value


def _first_line(said: str) -> str:
    """Return what the database said, or else how the message begins."""
    lines = [line.strip() for line in said.splitlines() if line.strip()] or ["no word"]
    places = [place for place, line in enumerate(lines[:-1]) if "Database Error" in line]
    return lines[places[0] + 1] if places else lines[0]
