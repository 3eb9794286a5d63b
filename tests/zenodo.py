"""A server on this machine that answers as Zenodo does: records as JSON, files with ranges. It can be made to misbehave."""

from __future__ import annotations

import hashlib
import http.server
import io
import json
import re
import threading
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def archive(files: Mapping[str, bytes | Path]) -> bytes:
    """A zip archive of files by path."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as made:
        for name, content in files.items():
            made.writestr(name, content if isinstance(content, bytes) else content.read_bytes())
    return out.getvalue()


class Zenodo:
    """Records by number.

    Attributes:
        files: content of each file of each record, by name.
        ranges: "yes", "no" (ranges are ignored) or "wrong" (an answer begins somewhere else).
        cuts: after how many bytes the next answers with a file break off.
        failures: statuses of the next answers, whatever is asked.
        stated: values that a file's entry states instead of true ones: {"a.zip": {"checksum": "md5:0"}}.
        metadata: of all records.
        asked: (path, Range header) of every request.
    """

    def __init__(self) -> None:
        self.files: dict[int, dict[str, bytes]] = {}
        self.ranges = "yes"
        self.cuts: list[int] = []
        self.failures: list[int] = []
        self.retry_after = ""
        self.stated: dict[str, dict[str, Any]] = {}
        self.served: dict[str, bytes] = {}
        self.metadata: dict[str, Any] = {"access_right": "open"}
        self.asked: list[tuple[str, str]] = []
        handler = type("Handler", (_Handler,), {"zenodo": self})
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()

    @property
    def address(self) -> str:
        """Of the API, as `ferbench.data.download.ZENODO`."""
        return f"http://127.0.0.1:{self._server.server_address[1]}/api/records"

    @property
    def downloads(self) -> list[tuple[str, str]]:
        """The requests for files."""
        return [(path.rpartition("/files/")[2], span) for path, span in self.asked if "/files/" in path]

    def record(self, number: int) -> bytes:
        entries = [
            {
                "key": name,
                "size": len(content),
                "checksum": f"md5:{hashlib.md5(content).hexdigest()}",
                "links": {"self": f"{self.address}/{number}/files/{name}/content"},
                **self.stated.get(name, {}),
            }
            for name, content in self.files[number].items()
        ]
        return json.dumps({"id": number, "title": "Made faces", "metadata": self.metadata, "files": entries}).encode()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Handler(http.server.BaseHTTPRequestHandler):
    zenodo: Zenodo

    def log_message(self, *_: object) -> None:
        """Quiet."""

    def do_GET(self) -> None:
        span = self.headers.get("Range", "")
        self.zenodo.asked.append((self.path, span))
        if self.zenodo.failures:
            return self._answer(self.zenodo.failures.pop(0), b"no", {"Retry-After": self.zenodo.retry_after})
        file = re.fullmatch(r"/api/records/(\d+)/files/(.+)/content", self.path)
        if file is not None:
            return self._file(self.zenodo.files[int(file[1])][file[2]], file[2], span)
        number = int(self.path.rpartition("/")[2])
        if number not in self.zenodo.files:
            return self._answer(404, b"{}", {})
        return self._answer(200, self.zenodo.record(number), {"Content-Type": "application/json"})

    def _file(self, content: bytes, name: str, span: str) -> None:
        content = self.zenodo.served.get(name, content)
        cut = self.zenodo.cuts.pop(0) if self.zenodo.cuts else None
        if not span or self.zenodo.ranges == "no":
            return self._answer(200, content, {}, cut)
        start = int(span.removeprefix("bytes=").removesuffix("-"))
        if start >= len(content):
            return self._answer(416, b"", {})
        if self.zenodo.ranges == "wrong":
            start //= 2
        stated = f"bytes {start}-{len(content) - 1}/{len(content)}"
        return self._answer(206, content[start:], {"Content-Range": stated}, cut)

    def _answer(self, status: int, content: bytes, headers: dict[str, str], cut: int | None = None) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(content))}.items():
            if value:
                self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content if cut is None else content[:cut])
        self.close_connection = True
