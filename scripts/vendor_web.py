"""Fetch the one script that the console ships from elsewhere 随包脚本: htmx, with its licence.

Run from the repository root after changing a version: `python scripts/vendor_web.py`. Needs npm and its registry.
The archive must have the pinned digest; what is written depends on nothing else.
"""

from __future__ import annotations

import hashlib
import io
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGE = "htmx.org@2.0.11"
SHA512 = (
    "4e1c7f5ada5e390a92aea042c3f0357301891a0e14ad56b7fac5b41a6accde9e"
    "202603bcf5e707e2ab5b9f2cc30d616f053aa39c83028042d336deb7e9db5a98"
)
SCRIPT = ROOT / "src/jiqun/web/static/htmx.min.js"
LICENCE = ROOT / "LICENSES/htmx.txt"


def fetch() -> bytes:
    """The pinned package's archive, after checking its digest."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["npm", "pack", PACKAGE, "--silent"], cwd=folder, check=True, stdout=subprocess.DEVNULL)
        (archive,) = Path(folder).glob("*.tgz")
        content = archive.read_bytes()
    digest = hashlib.sha512(content).hexdigest()
    if digest != SHA512:
        sys.exit(f"{PACKAGE}: sha512 is {digest}, expected {SHA512}. Nothing was written.")
    return content


def main() -> None:
    """Write the script and its licence."""
    with tarfile.open(fileobj=io.BytesIO(fetch())) as files:
        for name, target in (("package/dist/htmx.min.js", SCRIPT), ("package/LICENSE", LICENCE)):
            member = files.extractfile(name)
            if member is None:
                sys.exit(f"{PACKAGE} holds no {name}")
            notice = b"htmx 2.0.11 (0BSD), npm package htmx.org\n\n" if target is LICENCE else b""
            target.write_bytes(notice + member.read())
            print(f"{target.relative_to(ROOT)}: {target.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
