"""Leases where clocks, machines and file systems are not as one would wish."""

from __future__ import annotations

import errno
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from ferbench import owner
from ferbench.records import lease as module
from ferbench.records.lease import Held, is_held, lease
from tests.damage import DAMAGES


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "x.json"


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Heartbeats of a tenth of a second: suspected after 0.3 s, watched for 0.3 s."""
    monkeypatch.setattr(module, "HEARTBEAT", 0.1)
    monkeypatch.setattr(module, "STALE", 3)


def of_another(path: Path, **values: Any) -> None:
    """A lease as another process writes it: by default one whose name of the machine is ours, and who runs elsewhere."""
    import socket

    other = {"host": socket.gethostname(), "place": "elsewhere", "pid": 2**22 + 1, "started": "1", "token": "t"}
    path.write_text(json.dumps({**other, **values}))


def taken(path: Path) -> bool:
    try:
        with lease(path, None):
            return True
    except Held:
        return False


def test_a_process_of_another_host_with_our_name_is_not_taken_for_dead(path: Path) -> None:
    """Its number means nothing here."""
    of_another(path)
    assert is_held(path)
    assert not taken(path)
    of_another(path, place=owner.place())
    assert not is_held(path), "the same, but here, where there is no such process"
    assert taken(path)


@pytest.mark.skipif(not Path("/proc/self/ns/pid").exists(), reason="there are no PID namespaces")
def test_a_container_is_another_place(path: Path) -> None:
    """In a PID namespace of its own, on the same machine with the same name."""
    code = f"from pathlib import Path; from ferbench.records.lease import is_held; print(is_held(Path({str(path)!r})))"
    inside = ["unshare", "--map-root-user", "--pid", "--fork", "--mount-proc", sys.executable, "-c", code]
    with lease(path):
        done = subprocess.run(inside, capture_output=True, text=True, check=False)
    if done.returncode and "unshare" in done.stderr:
        pytest.skip("namespaces cannot be made here")
    assert done.stdout.strip() == "True", done.stderr


def test_a_process_that_nobody_waits_for_has_ended(path: Path) -> None:
    """A killed process stays in the list of processes until its parent asks, which in a container may be never."""
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    of_another(path, place=owner.place(), pid=child.pid, started=owner.started(child.pid))
    assert is_held(path)
    child.send_signal(signal.SIGKILL)
    while owner.started(child.pid):
        time.sleep(0.01)
    assert not is_held(path)
    child.wait()
    assert child.stdin is not None
    child.stdin.close()


def _beats(path: Path, stop: threading.Event, ahead: float) -> None:
    """The heartbeat of another machine; the file server's clock is `ahead` of ours."""
    while not stop.wait(0.1):
        now = time.time() + ahead
        os.utime(path, (now, now))


@pytest.mark.parametrize("ahead", [-1000.0, 1000.0])
def test_clocks_that_differ_end_no_lease(path: Path, quick: None, ahead: float) -> None:
    of_another(path)
    stop = threading.Event()
    beat = threading.Thread(target=_beats, args=(path, stop, ahead))
    beat.start()
    try:
        assert not taken(path)
    finally:
        stop.set()
        beat.join()


@pytest.mark.parametrize("jump", [-1000.0, 1000.0])
def test_a_clock_that_jumps_lets_no_dead_lease_stay(path: Path, quick: None, jump: float) -> None:
    of_another(path)
    then = time.time() - jump
    os.utime(path, (then, then))
    assert taken(path)


def test_a_lease_that_ends_while_it_is_watched(path: Path, quick: None) -> None:
    of_another(path)
    os.utime(path, (1, 1))
    timer = threading.Timer(0.15, path.unlink)
    timer.start()
    assert taken(path)


def test_only_the_lease_that_was_found_ended_is_removed(path: Path) -> None:
    """Two processes find it ended; the first breaks it and takes it, and then comes the second."""
    of_another(path, place=owner.place())
    found = module._read(path)
    assert found is not None
    module._break(path, found)
    with lease(path, None):
        module._break(path, found)
        assert not taken(path)
    assert not list(path.parent.iterdir())


def test_who_died_while_it_broke_a_lease_stops_nobody(path: Path) -> None:
    of_another(path, place=owner.place())
    of_another(path.with_name(f".{path.name}-breaking"), place=owner.place())
    assert taken(path)


def test_a_lease_that_was_taken_over_is_not_given_back(path: Path) -> None:
    """Its process was asleep for so long that another took it over."""
    with lease(path):
        of_another(path)
    assert is_held(path)


def test_a_lease_that_a_process_could_not_remove_does_not_stop_it(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with lease(path):
        monkeypatch.setattr(Path, "unlink", lambda self, missing_ok=False: (_ for _ in ()).throw(OSError("read-only")))
    monkeypatch.undo()
    assert path.exists()
    assert taken(path)


@pytest.mark.parametrize("damage", ["truncated", "flipped", "emptied"])
def test_a_damaged_lease_counts_by_its_stamp(path: Path, quick: None, damage: str) -> None:
    """While its process runs it is respected, and given back; without one it is taken over."""
    with lease(path):
        DAMAGES[damage](path)
        time.sleep(0.5)
        assert not taken(path)
    assert not path.exists()
    of_another(path)
    DAMAGES[damage](path)
    time.sleep(0.4)
    assert taken(path)


# -- file systems


def test_a_link_that_is_reported_as_failed_although_it_was_made(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """NFS sends a request again whose answer was lost, and finds its own link."""
    link = os.link

    def twice(source: Path, target: Path) -> None:
        link(source, target)
        link(source, target)

    monkeypatch.setattr(os, "link", twice)
    with lease(path, None):
        assert not taken(path)
    assert not list(path.parent.iterdir())


@pytest.mark.parametrize("error", [errno.EPERM, errno.EOPNOTSUPP])
def test_a_file_system_without_hard_links(path: Path, monkeypatch: pytest.MonkeyPatch, error: int) -> None:
    def refused(source: Path, target: Path) -> None:
        raise OSError(error, os.strerror(error))

    monkeypatch.setattr(os, "link", refused)
    with lease(path, None):
        assert not taken(path)
    assert not list(path.parent.iterdir())


def test_a_folder_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"), lease(tmp_path / "gone" / "x.json"):
        pass


def _die(path: str) -> None:
    with lease(Path(path)):
        os._exit(9)


def test_a_lease_from_before_a_restart_is_of_another_place(path: Path, quick: None) -> None:
    """Each start of a machine has its own numbers of processes."""
    child = multiprocessing.get_context("spawn").Process(target=_die, args=(str(path),))
    child.start()
    child.join()
    content = module._read(path)
    assert content is not None
    of_another(path, **{**content, "place": "last week"})
    assert is_held(path)
    time.sleep(0.4)
    assert taken(path)
