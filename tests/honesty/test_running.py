"""The command goes on from any moment, opens nothing to others, and tells what is wrong."""

from __future__ import annotations

import subprocess
import sys
import warnings
from pathlib import Path

import pytest

from redundancy.errors import UsageError
from redundancy.files import check_target, refuse_url, remove_partials
from tests.command_line import run_analyze, save_frames, save_network
from tests.toy import ToyDataset

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("running")
    save_frames(folder / "toy.npz", ToyDataset(12))
    save_network(folder / "net.pt")
    return folder


# Kills itself with SIGKILL before the file of a name gets it, in a process of its own; the
# libraries are imported once for all.
_KILLED = """
import os, shutil, signal, sys
from pathlib import Path
import analysis_cli, torch, xarray, redundancy.analysis, redundancy.plots.saving as saving
import redundancy.report.spike_features, redundancy.commands.analysing
saving._DPI.update(png=20)
folder, names = Path(sys.argv[1]), sys.argv[2:]
command = ["spike-features", folder / "net.pt", "--data", f"frames:{folder}/toy.npz",
           "--batch-size", 1, "--quiet"]

def run(*options, killed_at=None):
    pid = os.fork()
    if pid:
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    replace = os.replace
    def killing(source, target):
        if Path(target).name == killed_at:
            os.kill(os.getpid(), signal.SIGKILL)
        replace(source, target)
    os.replace = killing
    sys.argv = ["analyze", *map(str, command), *map(str, options)]
    try:
        analysis_cli.main()
    except SystemExit as request:
        os._exit(request.code)
    os._exit(0)

def files(out):
    return {str(p.relative_to(out)): p.read_bytes() for p in out.rglob("*") if p.is_file()}

assert run("--out", folder / "whole") == 0
whole = files(folder / "whole")
for name in names:
    out = folder / "o"
    assert run("--out", out, killed_at=name) == -signal.SIGKILL, name
    assert name not in files(out), name
    done = (out / "results.nc").stat().st_mtime_ns if (out / "results.nc").exists() else None
    assert run("--out", out, "--resume") == 0, name
    assert files(out) == whole, name
    assert done in (None, (out / "results.nc").stat().st_mtime_ns), name
    shutil.rmtree(out)
assert run("--out", folder / "whole", "--resume") == 0
assert files(folder / "whole") == whole
assert run("--out", folder / "whole", "--resume", "--seed", 1) == 2
assert files(folder / "whole") == whole
print("all of", len(names))
"""


@pytest.mark.skipif(not hasattr(sys, "getdlopenflags"), reason="there is no fork")
def test_resume_goes_on_from_any_moment_to_the_same_bits(folder: Path) -> None:
    names = ["run.json", "merged.nc", "results.nc", "summary.json", "firing_rates.csv"]
    names += ["t_sfr.png", "event_frames.png"]
    done = subprocess.run(
        [sys.executable, "-c", _KILLED, str(folder), *names],
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    assert done.stdout.splitlines()[-1:] == [f"all of {len(names)}"], done.stderr


WRONG = {
    "a bucket": (["--out", "s3://bucket/x"], "--out takes a file or folder of this machine"),
    "a collapsed bucket": (["--out", "gs:/bucket/x"], "--out takes a file or folder"),
    "a NUL": (["--out", "a\0b"], "with a NUL character"),
    "a long name": (["--out", "x" * 300], "--out cannot be x"),
    "below a file": (["--out", "{f}/toy.npz/o"], "is a file, so"),
    "a file": (["--out", "{f}/toy.npz"], "is a file"),
    "data elsewhere": (["--data", "frames:https://a.b/c.npz"], "--data takes a file"),
    "an endless batch": (["--batch-size", "1" + "0" * 30], "--batch-size"),
    "a batch as a float": (["--batch-size", "1e400"], "--batch-size"),
    "an empty batch": (["--batch-size", "0"], "--batch-size"),
    "a negative batch": (["--batch-size", "-3"], "--batch-size"),
    "samples without end": (["--samples", "9" * 30], "--samples"),
    "too many workers": (["--workers", "1000000"], "ask for at most"),
    "too many parts": (["--part", "1/1000000000"], "fewer parts"),
    "no part": (["--part", "0/0"], "a part is I/N"),
    "too many replicates": (["--replicates", "1000000000"], "--replicates"),
    "an infinite width": (["--bin-width", "inf"], "is not a finite number"),
    "bounds that are no number": (["--range", "nan", "1"], "is not a finite number"),
    "half of TLS": (["--scheduler", "tls://a:1", "--tls-key", "k"], "TLS needs all of"),
    "TLS for nobody": (
        ["--tls-ca-file", "a", "--tls-cert", "b", "--tls-key", "c"],
        "are for --scheduler",
    ),
    "TLS without its files": (
        ["--scheduler", "tls://a:1", "--tls-ca-file", "a", "--tls-cert", "b", "--tls-key", "c"],
        "there is no file a",
    ),
    "TLS where there is none": (
        ["--scheduler", "tcp://a:1", "--tls-ca-file", "a", "--tls-cert", "b", "--tls-key", "c"],
        "are for a scheduler at tls://",
    ),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_wrong_option_is_named_and_nothing_written(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    monkeypatch.chdir(tmp_path)
    options, expected = WRONG[what]
    given = [option.replace("{f}", str(folder)) for option in options]
    data = [] if "--data" in given else ["--data", f"frames:{folder}/toy.npz"]
    code, said, err = run_analyze("energy", folder / "net.pt", *data, *given)
    assert (code, said) == (2, ""), err
    assert expected in " ".join(err.split())
    assert list(tmp_path.iterdir()) == []


_SHELL = {
    "a reader that goes": ("{a} list datasets | head -1", ""),
    "no output": ("{a} list networks >&-", ""),
    "no streams": ("{a} list networks <&- >&- 2>&-", ""),
    "a full output": ("{a} list networks > /dev/full; test $? = 1", "No space left on device"),
    "an output of ASCII": ("PYTHONIOENCODING=ascii PYTHONUTF8=0 LC_ALL=C {a} list datasets", ""),
    "no home": ("env -u HOME {a} list presets", ""),
    "a folder that is gone": (
        "mkdir gone; cd gone; rmdir ../gone; {a} merge a.nc -o b.nc",
        "the current folder is no longer there",
    ),
    "bytes that are no text": (
        "{a} info $(printf 'caf\\351.pt')",
        r"there is no file caf\udce9.pt",
    ),
}


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no such shell")
@pytest.mark.parametrize("what", _SHELL)
def test_odd_surroundings_are_a_sentence_at_most(tmp_path: Path, what: str) -> None:
    line, expected = _SHELL[what]
    line = line.replace("{a}", f"PYTHONPATH={ROOT} {sys.executable} -m analysis_cli")
    line = line.replace("env -u HOME PYTHONPATH", "env -u HOME env PYTHONPATH")
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, cwd=tmp_path)
    assert expected in done.stderr
    assert done.stderr.count("\n") == bool(expected)
    assert "This is a bug" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_paths_are_told_from_urls(tmp_path: Path) -> None:
    for path in ("C:/data", "a:b", "a/b:/c", tmp_path):
        refuse_url(path)
    for path in ("s3://a", "S3:/a", "file:///a", "git+ssh://a"):
        with pytest.raises(UsageError, match="of this machine"):
            refuse_url(path)
    check_target(tmp_path / "new" / "x.pt")


def test_only_what_was_left_unfinished_is_removed(tmp_path: Path) -> None:
    left = ["a.partial-0123abcd.nc", "a.partial-old-0123abcd", "b.partial-0123abcd.png"]
    kept = ["a.nc", "a.partial-x.nc", "partial-0123abcd"]
    for name in (*left, *kept):
        (tmp_path / name).touch()
    remove_partials(tmp_path, "b")
    assert {p.name for p in tmp_path.iterdir()} == {*left[:2], *kept}
    remove_partials(tmp_path)
    assert {p.name for p in tmp_path.iterdir()} == set(kept)


@pytest.mark.parametrize(
    ("address", "warned"),
    [
        ("tcp://127.0.0.1:1", False),
        ("localhost:1", False),
        ("tcp://[::1]:1", False),
        ("10.0.0.1:1", True),
        ("tcp://cluster.example:1", True),
        ("tls://10.0.0.1:1", False),
    ],
)
def test_a_scheduler_elsewhere_without_tls_is_warned_of(
    monkeypatch: pytest.MonkeyPatch, address: str, warned: bool
) -> None:
    from redundancy.sharding import clients

    class Connected:
        """A client as far as connecting goes; there is no machine elsewhere to connect to."""

        def __init__(self, *_: object, **__: object) -> None: ...

        def wait_for_workers(self, *_: object, **__: object) -> None: ...

        def close(self) -> None: ...

    monkeypatch.setattr(clients, "Client", Connected)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        with clients.remote_client(address):
            pass
    assert ["without TLS" in str(one.message) for one in told] == [True] * warned
