"""The steps of the Dockerfile, without Docker: from the files it copies to an installed command.

It builds wheels and so takes a minute: ``make check`` runs it (SLOW or REQUIRE_ALL in the environment).
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

TOP = Path(__file__).parent.parent
SLOW = bool(os.environ.get("SLOW") or os.environ.get("REQUIRE_ALL"))


def copied() -> list[str]:
    """What the first stage of the Dockerfile copies from the source."""
    first = (TOP / "Dockerfile").read_text(encoding="utf-8").split("\nFROM ")[0]
    return [name for line in re.findall(r"^COPY (.+)$", first, re.MULTILINE) for name in line.split()[:-1]]


def run(*command: str | Path, cwd: Path) -> str:
    kept = {name: text for name, text in os.environ.items() if not name.startswith(("CDS_", "PYTHON", "COV_"))}
    environ = {**kept, "PYTHON": sys.executable}
    done = subprocess.run(command, cwd=cwd, env=environ, text=True, capture_output=True, timeout=900, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_every_file_the_image_copies_is_there() -> None:
    assert copied()
    assert [name for name in copied() if not (TOP / name).exists()] == []


def test_the_image_names_no_user_root_and_no_compiler() -> None:
    last = (TOP / "Dockerfile").read_text(encoding="utf-8").split("\nFROM ")[-1]
    assert re.search(r"^USER [1-9]\d*$", last, re.MULTILINE)
    assert not re.search(r"gcc|build-essential|apt-get", last)


@pytest.mark.skipif(not SLOW, reason="builds wheels; make check runs it")
def test_the_installed_command_checks_its_catalogue_from_another_folder(tmp_path: Path) -> None:
    source, wheels, venv = tmp_path / "src", tmp_path / "wheels", tmp_path / "venv"
    source.mkdir()
    for name in copied():
        origin = TOP / name
        if origin.is_dir():
            shutil.copytree(origin, source / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(origin, source / name)
    run("sh", "docker/build.sh", wheels, cwd=source)
    run("sh", "docker/install.sh", wheels, venv, cwd=source)
    shutil.rmtree(source)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    run(venv / "bin" / "cds-service", "check", cwd=elsewhere)
