"""Downloads of the files of a dataset from the record that its card names. A download that was interrupted goes on.

The API of Zenodo gives a record as JSON: `title`, `metadata.access_right`, and for each of `files` its `key` (the name), `size`,
`checksum` ("md5:...") and `links.self`, the address of the content. Older and newer forms of that address differ; it is taken as it
is. Read in the descriptions of the API and in public downloaders.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import re
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from time import sleep
from typing import IO, Any
from urllib.parse import urlsplit

import ferbench
from ferbench.cards import ZenodoRecord
from ferbench.errors import FerbenchError, enumerate_first

ZENODO = "https://zenodo.org/api/records"
"""Address of the API."""

CHECKSUMS = frozenset({"md5", "sha1", "sha256", "sha512"})
"""Kinds of checksums that are understood."""

WAITS = (2, 5, 15, 30, 60)
"""Seconds before each further try. When all of them brought nothing, the download ends."""

LONGEST = 120
"""Longest wait in seconds that a server may ask for."""

TIMEOUT = 60
"""Seconds without an answer after which a try is given up."""

CHUNK = 1 << 20

BUSY = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Answers after which another try may succeed."""

BAD_RANGE = 416

Progress = Callable[[int], None]
"""Called with the number of bytes that are here."""

Tell = Callable[[str], None]
"""Called with a sentence before each wait."""


@dataclass(frozen=True)
class RemoteFile:
    """A file of a record: its name, size in bytes, checksum as "algorithm:digits", and address."""

    name: str
    size: int
    checksum: str
    url: str


@dataclass(frozen=True)
class Offer:
    """The files of a record.

    Attributes:
        page: address of the record for people.
    """

    title: str
    page: str
    files: tuple[RemoteFile, ...]

    def named(self, patterns: tuple[str, ...]) -> tuple[RemoteFile, ...]:
        """The files whose names match one of the patterns.

        Raises:
            FerbenchError: a pattern matches none.
        """
        for pattern in patterns:
            if not any(fnmatchcase(file.name, pattern) for file in self.files):
                raise FerbenchError(
                    f"No file of {self.page} matches '{pattern}'; it has {enumerate_first([f.name for f in self.files])}."
                )
        return tuple(f for f in self.files if any(fnmatchcase(f.name, pattern) for pattern in patterns))


def offer_of(record: ZenodoRecord, tell: Tell = lambda sentence: None) -> Offer:
    """Ask for the files of a record.

    Raises:
        FerbenchError: it cannot be read, offers no files to everyone, or has no name, size, checksum or address of a file.
    """
    page = f"{ZENODO.removesuffix('/api/records')}/records/{record.number}"
    url = f"{ZENODO}/{record.number}"
    text = _tries(lambda: _text(url), f"The list of files at {url}", page, tell)
    try:
        values = json.loads(text)
        access = values.get("metadata", {}).get("access_right", "open")
        files = tuple(
            RemoteFile(str(v["key"]), int(v["size"]), str(v["checksum"]).lower(), str(v["links"]["self"]))
            for v in values.get("files") or []
        )
        title = str(values.get("title") or values.get("metadata", {}).get("title", ""))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise FerbenchError(
            f"{url} does not answer with a list of files as Zenodo's API gives it. Download the files from {page} in a browser."
        ) from error
    if access != "open" or not files:
        raise FerbenchError(
            f"{page} offers no files to everyone (access: {access}). Its page says how they can be had."
        )
    for file in files:
        _check(file, page)
    return Offer(title, page, tuple(sorted(files, key=lambda f: f.name)))


def _check(file: RemoteFile, page: str) -> None:
    """Raise FerbenchError where the name of a file is a path, its address is of another kind, or its checksum is unknown."""
    plain = file.name.isprintable() and Path(file.name).name == file.name and not file.name.startswith(".")
    if not plain or "\\" in file.name:
        raise FerbenchError(f"{page} lists a file called {file.name!r}, which is no plain name; nothing is downloaded.")
    if file.size < 0:
        raise FerbenchError(f"{page} says that {file.name} has {file.size} bytes; nothing is downloaded.")
    ours, theirs = urlsplit(ZENODO), urlsplit(file.url)
    if (theirs.scheme, theirs.netloc) != (ours.scheme, ours.netloc):
        raise FerbenchError(f"{page} gives the address {file.url} for {file.name}, which is not at {ours.netloc}.")
    algorithm, _, value = file.checksum.partition(":")
    if algorithm not in CHECKSUMS or not re.fullmatch(f"[0-9a-f]{{{2 * hashlib.new(algorithm).digest_size}}}", value):
        raise FerbenchError(
            f"{page} gives the checksum '{file.checksum}' for {file.name}, which cannot be computed here."
        )


def download(
    file: RemoteFile,
    part: Path,
    page: str,
    progress: Progress = lambda done: None,
    tell: Tell = lambda sentence: None,
) -> None:
    """Download a file to `part`, beginning where an earlier download ended, and verify it.

    Raises:
        FerbenchError: the server gives another file or none, it broke off too often (what is here is kept), or the checksum is
            another one, also after a second download (nothing is kept).
    """
    found = ""
    for _ in range(2):  # what an earlier run left may be of an older version of the file
        _complete(file, part, page, progress, tell)
        found = checksum_of(part, file.checksum)
        if found == file.checksum:
            return
        part.unlink()
    raise FerbenchError(
        f"{file.name} has the checksum {found}, also when it is downloaded again; {page} states {file.checksum}. It was removed. A "
        "proxy on the way may change files; otherwise tell the owners of the record."
    )


def checksum_of(path: Path, like: str) -> str:
    """The checksum of a file, by the algorithm of another one: checksum_of(path, "md5:0f3c...")."""
    algorithm = like.partition(":")[0]
    with path.open("rb") as file:
        made = hashlib.file_digest(file, lambda: hashlib.new(algorithm, usedforsecurity=False))
    return f"{algorithm}:{made.hexdigest()}"


class _BrokeOff(Exception):
    """A try that failed in a way that another one may not.

    Args:
        wait: seconds after which the server asks to be tried again.
    """

    def __init__(self, reason: str, wait: float = 0) -> None:
        super().__init__(reason)
        self.wait = wait


class _Refused(FerbenchError):
    """An answer that another try would not change. `code` is its number."""

    def __init__(self, text: str, code: int) -> None:
        super().__init__(text)
        self.code = code


def _complete(file: RemoteFile, part: Path, page: str, progress: Progress, tell: Tell) -> None:
    """Receive until `part` has the size of the file."""
    if size_of(part) > file.size:
        part.unlink()
    whole = f"{file.name} ({in_bytes(file.size)})"
    _tries(lambda: _receive(file, part, progress), whole, page, tell, lambda: size_of(part))


def _tries(attempt: Callable[[], Any], what: str, page: str, tell: Tell, reached: Callable[[], int] = lambda: 0) -> Any:
    """The result of `attempt`, tried again after a while where it broke off. A try that brings more than all before it does not
    count."""
    furthest, failures = reached(), 0
    while True:
        try:
            return attempt()
        except _BrokeOff as broken:
            here = reached()
            failures = 0 if here > furthest else failures + 1
            furthest = max(furthest, here)
            if failures > len(WAITS):
                kept = f" {in_bytes(here)} are here and kept; the same command goes on from there." if here else ""
                raise FerbenchError(
                    f"{what} cannot be read: {broken}, {failures} times in a row.{kept} Is {page} reachable from this machine? A "
                    "proxy is taken from the variables http_proxy and https_proxy."
                ) from broken
            wait = max(WAITS[max(failures, 1) - 1], min(broken.wait, LONGEST))
            tell(f"{what}: {broken}; the next try is in {wait:.0f} s.")
            sleep(wait)


def _text(url: str) -> str:
    with _open(url, {}) as answer:
        try:
            return str(answer.read().decode("utf-8"))
        except UnicodeDecodeError:
            return ""
        except (http.client.HTTPException, OSError) as error:
            raise _BrokeOff(_reason(error)) from error


def _receive(file: RemoteFile, part: Path, progress: Progress) -> None:
    """Receive what is missing of a file. A server that gives no ranges sends all of it again."""
    here = size_of(part)
    if here == file.size and part.exists():
        return
    try:
        answer = _open(file.url, {"Range": f"bytes={here}-"} if here else {})
    except _Refused as error:
        if error.code != BAD_RANGE:
            raise
        part.unlink()
        raise _BrokeOff("the server refuses to go on where the download ended") from error
    with answer:
        if answer.status == 206 and not _goes_on(answer, here, file.size):
            part.unlink()
            raise _BrokeOff("the server goes on at another place than where the download ended")
        stated = answer.headers.get("Content-Length")
        if answer.status == 200 and stated is not None and int(stated) != file.size:
            raise FerbenchError(
                f"{file.url} sends {stated} bytes, and {file.name} has {file.size}. A login page or a proxy may answer in its "
                "place: open the address in a browser."
            )
        here = here if answer.status == 206 else 0
        with _opened(part, "ab" if here else "wb") as out:
            while chunk := _read(answer):
                here += len(chunk)
                if here > file.size:
                    raise FerbenchError(f"{file.url} sends more than the {file.size} bytes of {file.name}.")
                _write(out, chunk, part)
                progress(here)
    if here < file.size:
        raise _BrokeOff(f"the connection ended after {in_bytes(here)}")


def _goes_on(answer: Any, here: int, size: int) -> bool:
    """Whether an answer begins at the byte `here` of a file of that size: "Content-Range: bytes 100-199/200"."""
    stated = str(answer.headers.get("Content-Range", "")).removeprefix("bytes ")
    span, _, total = stated.partition("/")
    return span.partition("-")[0] == str(here) and total in (str(size), "*")


def _open(url: str, headers: dict[str, str]) -> Any:
    own = {"User-Agent": f"ferbench/{ferbench.__version__}", "Accept-Encoding": "identity"}
    request = urllib.request.Request(url, headers=own | headers)
    try:
        return urllib.request.build_opener().open(request, timeout=TIMEOUT)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code in BUSY:
            asked = str(error.headers.get("Retry-After", ""))
            raise _BrokeOff(
                f"the server answers {error.code} ({error.reason})", int(asked) if asked.isdecimal() else 0
            ) from error
        raise _Refused(
            f"{url} answers {error.code} ({error.reason}). The record may have been moved or closed: look at it in a browser.",
            error.code,
        ) from error
    except (http.client.HTTPException, OSError) as error:  # URLError is an OSError
        raise _BrokeOff(_reason(error)) from error


def _reason(error: Exception) -> str:
    cause = getattr(error, "reason", error)
    return str(getattr(cause, "strerror", None) or cause or type(cause).__name__)


def _read(answer: Any) -> bytes:
    try:
        return bytes(answer.read(CHUNK))
    except http.client.IncompleteRead as error:
        return error.partial
    except (http.client.HTTPException, OSError) as error:
        raise _BrokeOff(_reason(error)) from error


def _opened(path: Path, mode: str) -> IO[bytes]:
    try:
        return path.open(mode, buffering=0)
    except OSError as error:
        raise FerbenchError(f"{path} cannot be written: {error.strerror or error}.") from error


def _write(out: IO[bytes], chunk: bytes, path: Path) -> None:
    rest = memoryview(chunk)
    try:
        while rest:
            rest = rest[out.write(rest) :]
    except OSError as error:
        raise FerbenchError(
            f"{path} cannot be written: {error.strerror or error}. What is here is kept; the same command goes on from there."
        ) from error


def size_of(path: Path) -> int:
    """Size of a file in bytes; 0 if there is none."""
    try:
        return path.stat().st_size
    except (FileNotFoundError, NotADirectoryError):
        return 0


def in_bytes(size: int) -> str:
    """A size as text.

    >>> in_bytes(999), in_bytes(553_000_000), in_bytes(13_240_000_000)
    ('999 bytes', '553 MB', '13.2 GB')
    """
    if size < 1000:
        return f"{size} bytes"
    for power, unit in ((3, "GB"), (2, "MB")):
        if size >= 1000**power:
            return f"{size / 1000**power:.{1 if unit == 'GB' else 0}f} {unit}"
    return f"{size / 1000:.0f} kB"
