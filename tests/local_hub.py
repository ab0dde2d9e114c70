"""A Hugging Face Hub on this machine: repositories in memory, the real protocol, failures on demand.

It answers what ``huggingface_hub``, ``transformers`` and ``datasets`` ask a Hub when they read: information
on models and datasets, lists of repositories, files and revisions, and downloads by HEAD and GET, with
ranges. Large-file storage is a redirect to another address, as on the Hub.
"""

import hashlib
import json
import re
import socket
import threading
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from huggingface_hub import constants

# What Hub repositories keep in large-file storage; everything else lies in git itself.
LARGE = (".safetensors", ".gguf", ".bin", ".model", ".parquet", ".h5", ".msgpack")


@dataclass(frozen=True)
class File:
    content: bytes
    large: bool

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()

    @property
    def blob(self) -> str:
        """Git's name of the content."""
        return hashlib.sha1(b"blob %d\0" % len(self.content) + self.content).hexdigest()

    @property
    def etag(self) -> str:
        return self.sha256 if self.large else self.blob


@dataclass
class Repository:
    kind: str
    name: str
    gated: bool = False
    revisions: dict[str, str] = field(default_factory=dict)  # branch or tag -> commit
    commits: dict[str, dict[str, File]] = field(default_factory=dict)  # commit -> path -> file


class LocalHub:
    """A Hub at ``url`` while the ``with`` block runs.

    Attributes
    ----------
    members : set of str
        Tokens that may read gated repositories.
    cut : Counter
        Path of a file → how many of the next downloads of it stop half-way.
    shrunk : set of str
        Paths of files that arrive shorter than announced, without any sign of it.
    damaged : set of str
        Paths of files that arrive whole, with other content than announced.
    broken : set of str
        Paths of files that the server fails on with status 503.
    requests : list of (method, address, range)
        What has been asked, in order.
    """

    def __init__(self):
        self.repositories: dict[tuple[str, str], Repository] = {}
        self.members: set[str] = set()
        self.cut: Counter = Counter()
        self.shrunk: set[str] = set()
        self.damaged: set[str] = set()
        self.broken: set[str] = set()
        self.requests: list[tuple[str, str, str | None]] = []
        self.connections: set[socket.socket] = set()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def storage(self) -> str:
        """Where large files are: another host, as that of the real Hub is, to which no token is sent."""
        return f"http://localhost:{self._server.server_port}/storage"

    def __enter__(self) -> "LocalHub":
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_) -> None:
        self.stop()

    def stop(self) -> None:
        """Hang up: from now on there is no Hub."""
        self._server.shutdown()
        for connection in list(self.connections):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self._server.server_close()

    def use(self, monkeypatch, home: Path) -> None:
        """Make this the Hub of a test, with an empty home and nobody logged in."""
        monkeypatch.setattr(constants, "ENDPOINT", self.url)
        template = self.url + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        for name, path in {
            "HF_HOME": home,
            "HF_HUB_CACHE": home / "hub",
            "HF_ASSETS_CACHE": home / "assets",
        }.items():
            monkeypatch.setattr(constants, name, str(path))
        # What of a broken-off download is kept, to be taken up from there, is in whole chunks.
        monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", 1024)
        monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(home / "token"))
        monkeypatch.delenv("HF_TOKEN", raising=False)

    def add(
        self,
        name: str,
        files: dict[str, bytes] | Path,
        revision: str = "main",
        kind: str = "model",
        gated: bool = False,
    ) -> str:
        """Publish a folder or a dict of contents as a revision of a repository; returns the commit."""
        if isinstance(files, Path):
            paths = [path for path in files.rglob("*") if path.is_file()]
            files = {path.relative_to(files).as_posix(): path.read_bytes() for path in paths}
        tree = {path: File(content, path.endswith(LARGE)) for path, content in sorted(files.items())}
        summary = [name, revision, *(f"{path} {file.sha256}" for path, file in tree.items())]
        commit = hashlib.sha1("\n".join(summary).encode()).hexdigest()
        repository = self.repositories.setdefault((kind, name), Repository(kind, name))
        repository.gated = gated
        repository.revisions[revision] = commit
        repository.commits[commit] = tree
        return commit

    def downloads(self, path: str) -> list[str | None]:
        """Ranges asked for in the downloads of a file, in order; None where all of it was asked for."""
        return [asked for method, address, asked in self.requests if method == "GET" and _ends(address, path)]


def _ends(address: str, path: str) -> bool:
    return "/api/" not in address and unquote(urlsplit(address).path).endswith("/" + path)


def _handler(hub: LocalHub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def setup(self):
            super().setup()
            hub.connections.add(self.connection)

        def finish(self):
            super().finish()
            hub.connections.discard(self.connection)

        def log_message(self, *_):
            pass

        def do_HEAD(self):
            self.respond()

        def do_GET(self):
            self.respond()

        def respond(self):
            hub.requests.append((self.command, self.path, self.headers.get("Range")))
            address = urlsplit(self.path)
            parts = [unquote(part) for part in address.path.strip("/").split("/")]
            query = {key: values[0] for key, values in parse_qs(address.query).items()}
            if parts[0] == "api" and parts[1] not in ("models", "datasets"):
                self.refuse(404, None, "Not found")
            elif parts[0] == "api":
                self.api(parts[1].rstrip("s"), parts[2:], query)
            elif parts[0] == "storage":
                kind, name, commit = parts[1], "/".join(parts[2:4]), parts[4]
                path = "/".join(parts[5:])
                self.content(path, hub.repositories[kind, name].commits[commit][path], {})
            else:
                kind = parts.pop(0).rstrip("s") if parts[0] == "datasets" else "model"
                self.resolve(kind, "/".join(parts[:2]), parts[3], "/".join(parts[4:]))

        # -- information

        def api(self, kind, parts, query):
            if not parts:
                return self.json([_summary(r) for r in hub.repositories.values() if _listed(r, kind, query)])
            name, what, rest = "/".join(parts[:2]), "".join(parts[2:3]), parts[3:]
            repository = hub.repositories.get((kind, name))
            if repository is None:
                return self.refuse(
                    404 if self.token else 401, "RepoNotFound", "Invalid username or password."
                )
            if what == "refs":
                return self.json(_refs(repository))
            if what == "auth-check":
                return self.locked(repository) or self.json({})
            commit = _commit(repository, rest[0] if rest else "main")
            if commit is None:
                return self.refuse(404, "RevisionNotFound", f"Invalid rev id: {rest[0] if rest else 'main'}")
            tree = repository.commits[commit]
            if what == "tree":
                return self.json([_entry(path, file) for path, file in tree.items()])
            siblings = [_sibling(path, file, "blobs" in query) for path, file in tree.items()]
            return self.json({**_summary(repository), "sha": commit, "siblings": siblings})

        # -- files

        def resolve(self, kind, name, revision, path):
            repository = hub.repositories.get((kind, name))
            if repository is None:
                return self.refuse(404 if self.token else 401, "RepoNotFound", "Repository not found")
            if self.locked(repository):
                return None
            commit = _commit(repository, revision)
            if commit is None:
                return self.refuse(404, "RevisionNotFound", f"Invalid rev id: {revision}")
            file = repository.commits[commit].get(path)
            headers = {"X-Repo-Commit": commit}
            if file is None:
                return self.refuse(404, "EntryNotFound", "Entry not found", headers)
            if path in hub.broken:
                return self.refuse(503, None, "Service unavailable")
            if not file.large:
                return self.content(path, file, headers)
            headers |= {
                "X-Linked-Etag": f'"{file.etag}"',
                "X-Linked-Size": str(len(file.content)),
                "Location": f"{hub.storage}/{kind}/{name}/{commit}/{path}",
            }
            return self.send(302, b"", headers)

        def content(self, path, file, headers):
            content = file.content
            if path in hub.shrunk:
                content = content[: len(content) // 2]
            if path in hub.damaged:
                content = content[:-1] + bytes([content[-1] ^ 1])
            headers = {**headers, "ETag": f'"{file.etag}"', "Accept-Ranges": "bytes"}
            asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
            if not asked:
                return self.send(200, content, headers, path)
            start, stop = int(asked[1]), int(asked[2] or len(content) - 1) + 1
            headers["Content-Range"] = f"bytes {start}-{stop - 1}/{len(content)}"
            return self.send(206, content[start:stop], headers, path)

        # -- what every answer shares

        @property
        def token(self):
            return self.headers.get("Authorization", "").removeprefix("Bearer ")

        def locked(self, repository):
            """Whether this reader may not read the repository, in which case the answer has been given."""
            if not repository.gated or self.token in hub.members:
                return False
            self.refuse(
                403 if self.token else 401, "GatedRepo", f"Access to {repository.name} is restricted."
            )
            return True

        def json(self, value):
            self.send(200, json.dumps(value).encode(), {"Content-Type": "application/json"})

        def refuse(self, status, code, message, headers=None):
            headers = {**(headers or {}), "X-Error-Message": message}
            self.send(status, b"", headers | ({"X-Error-Code": code} if code else {}))

        def send(self, status, body, headers, path=None):
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command == "HEAD":
                return
            if path is not None and hub.cut[path] > 0:
                hub.cut[path] -= 1
                self.close_connection = True
                body = body[: len(body) // 2]
            self.wfile.write(body)

    return Handler


def _commit(repository: Repository, revision: str) -> str | None:
    return repository.revisions.get(revision, revision if revision in repository.commits else None)


def _listed(repository: Repository, kind: str, query: dict[str, str]) -> bool:
    owner = repository.name.partition("/")[0]
    wanted = (
        query.get("search", "").lower() in repository.name.lower() and query.get("author", owner) == owner
    )
    return repository.kind == kind and wanted


def _summary(repository: Repository) -> dict:
    gated = "manual" if repository.gated else False
    return {"id": repository.name, "modelId": repository.name, "gated": gated, "private": False, "tags": []}


def _refs(repository: Repository) -> dict:
    refs = {"branches": [], "tags": [], "converts": []}
    for name, commit in repository.revisions.items():
        kind = "converts" if name.startswith("refs/convert/") else "branches" if name == "main" else "tags"
        ref = name if kind == "converts" else f"refs/{'heads' if name == 'main' else 'tags'}/{name}"
        refs[kind].append({"name": name.rpartition("/")[2], "ref": ref, "targetCommit": commit})
    return refs


def _entry(path: str, file: File) -> dict:
    entry = {"type": "file", "path": path, "size": len(file.content), "oid": file.blob}
    return entry | ({"lfs": _large(file)} if file.large else {})


def _sibling(path: str, file: File, metadata: bool) -> dict:
    sibling = {"rfilename": path}
    if metadata:
        sibling |= {"size": len(file.content), "blobId": file.blob}
        if file.large:
            sibling["lfs"] = {"sha256": file.sha256, "size": len(file.content), "pointerSize": 130}
    return sibling


def _large(file: File) -> dict:
    return {"oid": file.sha256, "size": len(file.content), "pointerSize": 130}
