"""Settings and fixtures that tests share."""

import os
import sys

import pytest
from hypothesis import settings

# A loaded machine is no bug, so no example has a deadline; and on CI the examples are
# the same in every run, so that a change is judged by what it changes.
settings.register_profile("default", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "default")


@pytest.fixture
def analyze(monkeypatch, capfd, tmp_path_factory):
    """Run ``analyze`` in this process; returns (exit code, stdout, stderr).

    It runs in a folder of its own, so that what it writes by default can be seen.
    """
    import analysis_cli

    monkeypatch.chdir(tmp_path_factory.mktemp("cwd"))

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["analyze", *map(str, arguments)])
        code = 0
        try:
            analysis_cli.main()
        except SystemExit as exit_request:
            code = exit_request.code or 0
        out, err = capfd.readouterr()
        assert "Traceback" not in err
        return code, out, err

    return run
