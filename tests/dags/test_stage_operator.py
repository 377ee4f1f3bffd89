"""The stage operator with a real child process: exit codes, arguments, and no orphans."""

import os
import sys
import threading
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import psutil
import pytest
from airflow.sdk import Asset
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSkipException
from airflow.sdk.execution_time.timeout import timeout

from shared.stages import StageOperator

ASSET = Asset(name="tested", uri="shop://bundles/tested")


class Announced:
    """Stands for Airflow's record of the asset events of a task."""

    def __init__(self) -> None:
        self.keys: list[str] = []

    def __getitem__(self, asset: Asset) -> "Announced":
        assert asset == ASSET
        return self

    def add_partitions(self, key: str) -> None:
        self.keys.append(key)


class Log:
    """Stands for the task log and remembers when each line came."""

    def __init__(self) -> None:
        self.lines: list[tuple[float, str]] = []

    def info(self, text: str, *values: object) -> None:
        self.lines.append((time.monotonic(), text % values))

    def warning(self, *_: object) -> None:
        """Airflow warns that no task runner is around."""


def run(*argv: str, **kwargs: Any) -> Announced:
    """Run a child under the operator and return what it announced."""
    events = Announced()
    operator = StageOperator(task_id="tested", argv=list(argv), outlets=[ASSET], **kwargs)
    operator.execute({"outlet_events": events, "partition_key": "2017-12-03", "params": {}})
    return events


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def test_success_announces_the_outlets_for_the_as_of_date() -> None:
    assert run(*python("print('done')")).keys == ["2017-12-03"]


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (65, AirflowFailException),
        (2, AirflowFailException),
        (75, AirflowException),
        (99, AirflowSkipException),
        (3, AirflowException),
    ],
)
def test_an_exit_code_says_fail_retry_or_skip(code: int, error: type[Exception]) -> None:
    with pytest.raises(error) as raised:
        run(*python(f"raise SystemExit({code})"))
    assert type(raised.value) is error
    assert str(code) in str(raised.value)


def test_a_child_that_was_killed_may_be_retried() -> None:
    with pytest.raises(AirflowException, match="signal") as raised:
        run(*python("import os, signal; os.kill(os.getpid(), signal.SIGKILL)"))
    assert not isinstance(raised.value, AirflowFailException)


def test_arguments_arrive_verbatim(tmp_path: Path) -> None:
    awkward = ["{braces}", "%(percent)s", "it's", 'say "no"', "$(touch hacked)", "`id`", "a\nb", "*.py", "", "ü"]
    target = tmp_path / "arguments"
    code = f"import sys, json; json.dump(sys.argv[1:], open({str(target)!r}, 'w'))"
    run(*python(code), *awkward)
    import json

    assert json.loads(target.read_text()) == awkward


def test_an_argument_that_looks_like_a_file_is_not_read_as_a_template() -> None:
    assert StageOperator.template_ext == ()


def test_the_log_follows_the_child_line_by_line(monkeypatch: pytest.MonkeyPatch) -> None:
    log = Log()
    operator = StageOperator(
        task_id="tested", argv=python("import time; print('100 % first'); time.sleep(1); print('second')")
    )

    monkeypatch.setattr(StageOperator, "log", log)
    operator.execute({"partition_key": "2017-12-03", "params": {}, "outlet_events": Announced()})
    at = {text: when for when, text in log.lines}
    assert at["second"] - at["100 % first"] > 0.5, "the first line is logged before the second is written"


STUBBORN = (
    "import os, signal, subprocess, sys, time;"
    "signal.signal(signal.SIGTERM, signal.SIG_IGN);"
    "grandchild = subprocess.Popen([sys.executable, '-c', 'import signal, time;"
    " signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)']);"
    "print(os.getpid(), grandchild.pid, flush=True); time.sleep(60)"
)


def test_a_killed_task_leaves_no_orphan_within_the_supervisors_five_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    operator = StageOperator(task_id="tested", argv=python(STUBBORN))
    log = Log()

    monkeypatch.setattr(StageOperator, "log", log)
    outcome: list[BaseException] = []

    def work() -> None:
        try:
            operator.execute({"partition_key": "2017-12-03", "params": {}, "outlet_events": Announced()})
        except AirflowException as error:
            outcome.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    _wait_for(lambda: len(log.lines) >= 2)
    pids = [int(word) for word in log.lines[1][1].split()]
    started = time.monotonic()
    operator.on_kill()
    thread.join(timeout=5)
    assert time.monotonic() - started < 4.5
    assert outcome, "the task fails, and may be retried"
    _wait_for(lambda: not any(_is_alive(pid) for pid in pids))


def test_a_stage_that_takes_too_long_is_ended_and_not_tried_again() -> None:
    """Airflow's own timeout is an exception that it retries; the child must not outlive it."""
    operator = StageOperator(
        task_id="tested", argv=python("import time; time.sleep(60)"), execution_timeout=timedelta(hours=3)
    )
    with pytest.raises(AirflowFailException, match="not done after 3 hours"), timeout(1):
        operator.execute({"partition_key": "2017-12-03", "params": {}, "outlet_events": Announced()})
    child = operator._child
    assert child is not None
    assert not _is_alive(child.pid)


def test_a_signal_while_the_task_waits_does_not_deadlock() -> None:
    """The handler runs in the thread that waits for the child; a wait without a limit would never return."""
    code = (
        "import os, signal, sys, threading, time; sys.path.append('dags');"
        "from shared.stages import StageOperator;"
        "operator = StageOperator(task_id='t', argv=[sys.executable, '-c', "
        "'import os, signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
        " os.close(1); os.close(2); time.sleep(60)']);"
        "signal.signal(signal.SIGTERM, lambda *_: operator.on_kill());"
        "threading.Timer(2, os.kill, (os.getpid(), signal.SIGTERM)).start();"
        "operator.execute({'partition_key': '2017-12-03', 'params': {}, 'outlet_events': {}})"
    )
    import subprocess

    done = subprocess.run(
        python(code),
        check=False,
        cwd=Path(__file__).resolve().parents[2],
        env=os.environ,
        capture_output=True,
        timeout=30,
    )
    assert b"ended with -9" in done.stderr


def _is_alive(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def _wait_for(condition: Any, seconds: float = 10) -> None:
    limit = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < limit, "it did not happen in time"
        time.sleep(0.05)
