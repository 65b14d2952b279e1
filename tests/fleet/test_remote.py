"""Captures and datasets on remote file systems, by their URLs."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from fleet_kit import HOW, archive, as_indexed, as_made, rows

from benchmarks.archive import Played
from dissector.cli import main
from dissector.errors import CaptureError, UsageError
from dissector.fleet.captures import places_of
from dissector.fleet.dataset import Dataset
from dissector.fleet.index import index
from dissector.fleet.storage import read
from dissector.sources.capture import CaptureReader
from dissector.sources.remote import RemoteFile

fsspec = pytest.importorskip("fsspec")
CAPTURES = Path(__file__).resolve().parents[2] / "captures"


@pytest.fixture
def store() -> Iterator[Any]:
    """An object store in memory: it has keys, and no folders by themselves."""
    system = fsspec.filesystem("memory")
    yield system
    system.store.clear()
    system.pseudo_dirs[:] = [""]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Played]]:
    folder = tmp_path_factory.mktemp("archive")
    return folder, archive(folder)


def filled(store: Any, folder: Path) -> str:
    for path in folder.rglob("*"):
        if path.is_file():
            store.pipe(f"/bucket/{path.relative_to(folder).as_posix()}", path.read_bytes())
    return "memory://bucket"


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, list(map(str, arguments)), prog_name="jstrace")


def indexed(out: Path, *paths: str, names: dict[str, str] | None = None) -> Any:
    return index(Dataset(str(out)), places_of(paths, names or {}), HOW)


def test_captures_of_an_object_store(store: Any, made: tuple[Path, list[Played]], tmp_path: Path) -> None:
    out, url = tmp_path / "out", filled(store, made[0])
    assert indexed(out, url).captures == 10
    assert as_indexed(out) == as_made(made[1])
    again = indexed(out, url)
    assert (again.captures, again.known) == (0, 10)
    ((files,), *_) = rows(out, "SELECT DISTINCT files FROM tasks ORDER BY files")
    assert files[0] == "memory:///bucket/host01/ring_00001.pcap"


def test_a_task_in_its_packets(store: Any, tmp_path: Path) -> None:
    store.pipe("/bucket/host/x.pcap", (CAPTURES / "engine_shell_fail.pcap").read_bytes())
    indexed(tmp_path / "out", "memory://bucket/host")
    ((wanted,),) = rows(tmp_path / "out", "SELECT id FROM tasks")
    page = run("query", tmp_path / "out", "--task", wanted)
    assert page.exit_code == 0, page.stderr
    assert "shell_fail" in page.stdout
    store.rm("/bucket/host/x.pcap")
    gone = run("query", tmp_path / "out", "--task", wanted)
    assert "which is gone or was changed" in gone.stderr


def test_points_and_names(store: Any) -> None:
    data = (CAPTURES / "engine_shell_ok.pcap").read_bytes()
    for key in ("/b/h1/x.pcap", "/b/h1/deep/x.pcap.gz", "/b/h1/notes.txt", "/b/h1/.hidden.pcap", "/x.pcap"):
        store.pipe(key, data)
    found = places_of(["memory://b", "memory:///b/h1/", "memory://x.pcap"], {"memory://b/h1/deep": "seven"})
    assert sorted((place.path, place.point) for place in found) == [
        ("memory:///b/h1/deep/x.pcap.gz", "seven"),
        ("memory:///b/h1/x.pcap", "h1"),
        ("memory:///x.pcap", ""),
    ]
    assert [place.path for place in places_of(["memory://b/h1/notes.txt"], {})] == ["memory:///b/h1/notes.txt"]


@pytest.mark.parametrize("name", ["engine_shell_ok.pcap", "x.pcap.gz"])
def test_a_capture_by_its_url_is_the_same(store: Any, name: str, tmp_path: Path) -> None:
    import gzip

    data = (CAPTURES / "engine_shell_ok.pcap").read_bytes()
    store.pipe(f"/b/{name}", gzip.compress(data) if name.endswith("gz") else data)
    path = tmp_path / "x.pcap"
    path.write_bytes(data)
    expected = list(CaptureReader([str(path)]))
    assert list(CaptureReader([f"memory://b/{name}"])) == expected
    assert list(CaptureReader([f"file://{path}"])) == expected


def test_a_dataset_of_an_object_store_is_asked(store: Any, made: tuple[Path, list[Played]], tmp_path: Path) -> None:
    out = tmp_path / "out"
    indexed(out, str(made[0]))
    url = filled(store, out)
    for question in ("failures", "worst", "SELECT count(*) FROM log", "FROM tasks ORDER BY id"):
        there, here = run("query", url, question, "--format", "json"), run("query", out, question, "--format", "json")
        assert there.exit_code == 0, there.stderr
        assert there.stdout == here.stdout
    refused = run("query", url, "SELECT * FROM read_text('memory:///bucket/manifest.jsonl')")
    assert (refused.exit_code, len(refused.stderr.splitlines())) == (2, 1)
    assert run("query", f"file://{out}", "failures").stdout == run("query", out, "failures").stdout
    for key in store.find("/bucket/brief_tasks"):
        store.rm(key)
    lost = run("query", url, "failures")
    assert (lost.exit_code, lost.stdout, len(lost.stderr.splitlines())) == (2, "", 1), lost.stderr


def test_what_can_not_be_asked_says_so(tmp_path: Path) -> None:
    """DuckDB wants to know when a file was written."""
    indexed(tmp_path / "a" / "out", str(CAPTURES / "engine_shell_ok.pcap"))
    shutil.make_archive(str(tmp_path / "x"), "zip", tmp_path / "a")
    done = run("query", f"zip://out::file://{tmp_path}/x.zip", "SELECT job FROM tasks")
    assert (done.exit_code, done.stdout) == (2, "")
    assert "zip does not say when files were written, so copy the dataset to a folder" in done.stderr


@pytest.mark.parametrize("cache", ["simplecache::", "filecache::dir::"])
def test_a_cache_in_front_of_a_url_is_refused(cache: str, tmp_path: Path) -> None:
    """It is no name of a folder here."""
    url, capture = f"file://{tmp_path}/out", f"file://{CAPTURES}/engine_shell_ok.pcap"
    for arguments in (("index", cache + url, capture), ("index", url, cache + capture), ("query", cache + url, "days")):
        done = run(*arguments)
        assert (done.exit_code, done.stdout) == (2, ""), arguments
        assert "a cache in front of a URL is of no use: name file://" in done.stderr
    assert list(tmp_path.glob("*/*.jsonl")) == []


@pytest.mark.usefixtures("store")
def test_memory_is_of_one_process() -> None:
    capture = CAPTURES / "engine_shell_ok.pcap"
    for option in (("--jobs", "2"), ("--dask", "tcp://127.0.0.1:1")):
        done = run("index", "memory://x", capture, *option)
        assert (done.exit_code, done.stderr) == (
            2,
            "jstrace: memory:///x: every process has a memory of its own: --jobs 1\n",
        )
    assert run("index", "memory://x", capture, "--jobs", "1").exit_code == 0


def halves(folder: Path) -> tuple[list[str], list[str]]:
    """Captures of an archive: all but the last of each point, and all."""
    captures = sorted(folder.rglob("*.pcap"))
    last = {path.parent: path for path in captures}
    return [str(path) for path in captures if path not in last.values()], list(map(str, captures))


@pytest.mark.one_in(5)
@pytest.mark.usefixtures("store")
@pytest.mark.parametrize("kind", ["memory://made/out", "file://{}/out", "dir://out::file://{}"])
def test_a_dataset_is_written_elsewhere(kind: str, made: tuple[Path, list[Played]], tmp_path: Path) -> None:
    """In two runs; it is what a folder gets, file by file."""
    out, here = kind.format(tmp_path), tmp_path / "here"
    for paths in halves(made[0]):
        done = [index(Dataset(one), places_of(paths, {}), HOW) for one in (out, str(here))]
        assert done[0].tasks == done[1].tasks > 0
        assert done[0].warnings == []
    known = index(Dataset(out), places_of(paths, {}), HOW)
    assert (known.captures, known.known) == (0, 10)
    there, local = Dataset.existing(out), Dataset.existing(str(here))
    assert list(there.manifest.lines()) == list(local.manifest.lines())
    tree = {path for path, _ in RemoteFile.at(out).tree()} - {".lock"}
    assert tree == {path.relative_to(here).as_posix() for path in here.rglob("*") if path.is_file()} - {".lock"}
    for part in there.manifest.parts:
        assert read(there.path_of(part)) == read(local.path_of(part))


def test_a_run_elsewhere_finds_out_that_another_one_wrote(store: Any, made: tuple[Path, list[Played]]) -> None:
    """Its files stay for a day, for the other one may need them; what a killed run left longer ago goes."""
    places = places_of(halves(made[0])[1], {})
    index(Dataset("memory://b"), places[:2], HOW)
    late = Dataset("memory://b")
    with late.locked():
        index(Dataset("memory://b"), places[:3], HOW)
        with pytest.raises(UsageError, match="another jstrace index wrote to it meanwhile: run it again"):
            late.commit(late.manifest)
    store.pipe({"/b/tasks/day=2026-01-01/point=x/0a.parquet": b"new", "/b/.jstrace-0a": b"old", "/b/mine.txt": b"x"})
    store.store["/b/.jstrace-0a"].modified -= timedelta(days=2)
    index(Dataset("memory://b"), places, HOW)
    left = set(store.find("/b"))
    assert {"/b/tasks/day=2026-01-01/point=x/0a.parquet", "/b/mine.txt"} < left
    assert "/b/.jstrace-0a" not in left
    store.pipe("/c/mine.txt", b"x")
    with pytest.raises(UsageError, match="neither a dataset nor an empty folder"):
        index(Dataset("memory://c"), places, HOW)


def test_a_store_that_takes_no_more_leaves_what_it_was(
    store: Any, made: tuple[Path, list[Played]], monkeypatch: pytest.MonkeyPatch
) -> None:
    few, all_of_them = halves(made[0])
    index(Dataset("memory://b"), places_of(few, {}), HOW)
    before = store.cat("/b/manifest.jsonl")
    with monkeypatch.context() as patch:
        patch.setattr(type(store), "mv", _fails)
        done = run("index", "memory://b", *all_of_them, "--jobs", 1)
    assert (done.exit_code, done.stderr) == (2, "jstrace: memory:///b: the token is over twice\n")
    assert store.cat("/b/manifest.jsonl") == before
    assert not [path for path in store.find("/b") if ".jstrace-" in path]


@pytest.mark.parametrize(
    ("url", "words", "missing"),
    [
        ("memory://nowhere", "No such file or directory", "memory://nowhere: no dataset"),
        ("nosuch://x/y", "Protocol not known: nosuch", "Protocol not known: nosuch"),
        ("file:///nowhere/x", "No such file or directory", "file:///nowhere/x: no dataset"),
    ],
)
def test_what_is_not_there_is_one_line(url: str, words: str, missing: str, tmp_path: Path) -> None:
    for command, text in (("index", tmp_path / "out", url), words), (("query", url, "failures"), missing):
        done = run(*command)
        assert (done.exit_code, len(done.stderr.splitlines())) == (2, 1)
        assert text in done.stderr
    with pytest.raises(CaptureError, match=words):
        list(CaptureReader([url]))


def test_a_store_that_fails_in_the_middle(store: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    store.pipe("/b/x.pcap", (CAPTURES / "engine_shell_ok.pcap").read_bytes())
    cls = type(store.open("/b/x.pcap"))
    monkeypatch.setattr(cls, "read", _fails, raising=False)
    with pytest.raises(CaptureError, match=r"memory://b/x.pcap: the token is over twice$"):
        list(CaptureReader(["memory://b/x.pcap"]))
    done = run("index", tmp_path / "out", "memory://b")
    assert (done.exit_code, done.stderr) == (2, "jstrace: memory:///b/x.pcap: the token is over twice\n")


def _fails(*_arguments: object, **_named: object) -> bytes:
    raise RuntimeError("the token is over\ntwice")


def test_without_fsspec_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fsspec", None)
    done = run("index", tmp_path / "out", "memory://b")
    assert done.stderr == "jstrace: memory://b: URLs need fsspec: pip install 'jstrace[fleet]'\n"


def test_over_http(tmp_path: Path) -> None:
    """A server that knows no ranges and no folders."""
    pytest.importorskip("aiohttp")
    import threading
    from functools import partial
    from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_arguments: object) -> None: ...

    shutil.copy(CAPTURES / "engine_shell_ok.pcap", tmp_path / "x.pcap")
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(tmp_path))) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        url = f"http://127.0.0.1:{server.server_address[1]}"
        assert list(CaptureReader([f"{url}/x.pcap"])) == list(CaptureReader([str(tmp_path / "x.pcap")]))
        indexed(tmp_path / "out", f"{url}/x.pcap", names={f"{url}/x.pcap": "web"})
        with pytest.raises(CaptureError, match=f"{url}/y.pcap: "):
            list(CaptureReader([f"{url}/y.pcap"]))
        server.shutdown()
    assert rows(tmp_path / "out", "SELECT point, job FROM tasks") == [("web", "shell")]
