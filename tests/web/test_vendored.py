"""The pages' libraries are those that npm shipped: nobody changed one by hand, and none is without a licence."""

import hashlib
import json
import re
from pathlib import Path

import service

FOLDER = Path(service.__file__).parent / "vendor"


def test_every_file_is_as_it_was_fetched_and_every_package_has_its_licence():
    told = json.loads((FOLDER / "vendored.json").read_text())
    sums = {name: digest for package in told.values() for name, digest in package["files"].items()}
    found = {each.name: hashlib.sha256(each.read_bytes()).hexdigest() for each in FOLDER.iterdir() if each.suffix in (".js", ".css")}
    assert found == sums
    licences = (FOLDER / "LICENCES.txt").read_text()
    for name, package in told.items():
        assert f"{name} {package['version']}\n" in licences
        assert package["licence"] in ("MIT", "Apache-2.0", "BSD-2-Clause", "ISC")


def test_no_file_imports_what_is_not_beside_it():
    for each in FOLDER.glob("*.js"):
        for name in re.findall(r"""(?:from|import)\s*\(?["']([^"']+\.js)["']""", each.read_text()):
            assert (FOLDER / name).exists(), f"{each.name} imports {name}"
