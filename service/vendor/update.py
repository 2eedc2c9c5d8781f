"""Fetches the pages' libraries from npm and writes them here: ``python service/vendor/update.py``. The pages need no build step.

Each file is as its package ships it, except that bare names in imports become files beside it (a strict Content-Security-Policy leaves no
room for import maps) and that comments about source maps go. ``vendored.json`` says what came from where: version, licence, npm's own
integrity value, and the SHA-256 of each file as it lies here, which a test compares.
"""

import base64
import hashlib
import json
import re
import subprocess
import tarfile
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
TESTS = HERE.parent.parent / "tests" / "browser"
PACKAGES = {
    "preact": ("11.2.0", {"dist/preact.mjs": "preact.js", "hooks/dist/hooks.mjs": "preact-hooks.js"}),
    "@preact/signals-core": ("1.14.5", {"dist/signals-core.mjs": "signals-core.js"}),
    "@preact/signals": ("2.11.4", {"dist/signals.mjs": "signals.js"}),
    "htm": ("3.1.1", {"dist/htm.mjs": "htm.js"}),
    "leaflet": ("1.9.4", {"dist/leaflet.js": "leaflet.js", "dist/leaflet.css": "leaflet.css"}),
    "uplot": ("1.6.32", {"dist/uPlot.iife.min.js": "uplot.js", "dist/uPlot.min.css": "uplot.css"}),
    "@picocss/pico": ("2.1.1", {"css/pico.min.css": "pico.css"}),
    "qr-scanner": ("1.4.2", {"qr-scanner.min.js": "qr-scanner.js", "qr-scanner-worker.min.js": "qr-scanner-worker.min.js"}),
}
FILES = {"preact": "preact.js", "preact/hooks": "preact-hooks.js", "@preact/signals-core": "signals-core.js"}
"""What a bare name in an import means here."""

TESTING = {
    "axe-core": ("4.14.1", {"axe.min.js": "axe.min.js"}),
}
"""What only the browser tests load; it lies in tests/browser, with its own licence (MPL-2.0) in its first lines."""

EXPORTED = {"uplot.js": "export default uPlot;\n"}
"""What makes a module of a file whose own module form is not minified."""

IMPORT = re.compile(rf"""(from\s*|import\s*)(["'])({"|".join(map(re.escape, FILES))})\2""")
SOURCE_MAP = re.compile(r"\n?(//[#@] sourceMappingURL=\S+|/\*[#@] sourceMappingURL=\S+ \*/)\s*$")


def main() -> None:
    """Fetches everything anew."""
    told, licences = {}, []
    with tempfile.TemporaryDirectory() as folder:
        for name, (version, wanted) in PACKAGES.items():
            packed = _packed(f"{name}@{version}", Path(folder))
            with tarfile.open(packed["file"]) as package:
                licences.append(f"{name} {version}\n\n{_licence(package)}")
                files = {target: _ours(_read(package, source).decode()) + EXPORTED.get(target, "") for source, target in wanted.items()}
            for target, content in files.items():
                (HERE / target).write_text(content)
            sums = {target: hashlib.sha256(content.encode()).hexdigest() for target, content in files.items()}
            told[name] = {"version": version, "licence": packed["licence"], "integrity": packed["integrity"], "files": sums}
    (HERE / "vendored.json").write_text(json.dumps(told, indent=1) + "\n")
    (HERE / "LICENCES.txt").write_text(("\n" + "=" * 80 + "\n\n").join(licences))
    with tempfile.TemporaryDirectory() as folder:
        for name, (version, wanted) in TESTING.items():
            with tarfile.open(_packed(f"{name}@{version}", Path(folder))["file"]) as package:
                for source, target in wanted.items():
                    (TESTS / target).write_bytes(_read(package, source))


def _packed(package: str, folder: Path) -> dict[str, str]:
    """Name, integrity and licence of a package that npm brought into the folder."""
    said = subprocess.run(["npm", "pack", "--json", package], cwd=folder, check=True, capture_output=True, text=True).stdout
    (packed,) = json.loads(said)
    file = folder / packed["filename"]
    digest = "sha512-" + base64.b64encode(hashlib.sha512(file.read_bytes()).digest()).decode()
    if digest != packed["integrity"]:
        raise SystemExit(f"{package} is not what npm says it is: {digest} against {packed['integrity']}")
    licence = subprocess.run(["npm", "view", package, "license"], check=True, capture_output=True, text=True).stdout.strip()
    return {"file": str(file), "integrity": packed["integrity"], "licence": licence}


def _read(package: tarfile.TarFile, name: str) -> bytes:
    member = package.extractfile(f"package/{name}")
    if member is None:
        raise SystemExit(f"there is no {name} in {package.name!r}")
    return member.read()


def _licence(package: tarfile.TarFile) -> str:
    return next(_read(package, name).decode() for name in ("LICENSE", "LICENSE.md") if f"package/{name}" in package.getnames())


def _ours(content: str) -> str:
    content = SOURCE_MAP.sub("", content)
    return IMPORT.sub(lambda found: f"{found[1]}{found[2]}./{FILES[found[3]]}{found[2]}", content).rstrip() + "\n"


if __name__ == "__main__":
    main()
