"""One search over everything 检索: firms, clusters, regions, classes, pages; Chinese and Latin, by part of a name.

Text is folded (width, case, accents) and split into words and runs of characters of scripts without spaces. A word is
found whole, the last word of a query also by its beginning; a run is found anywhere: it is indexed as overlapping pairs
of characters, and queries are phrases of pairs. What a user types becomes words and runs and nothing else; it is never
read as a query language.

An index is written once, whole, beside the one in use, and then takes its place; readers notice. It holds nothing that
cannot be made again.
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
import secrets
import shutil
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Any, NamedTuple

import tantivy
from sqlalchemy import Connection, select
from sqlalchemy.exc import DBAPIError
from tantivy import Occur, Query

from jiqun.core.errors import UsageError, WorkspaceError
from jiqun.store.commands import Transaction
from jiqun.store.files import make_folder, place, remove, told, write_bytes
from jiqun.store.jobs import Job, Report
from jiqun.store.lock import WriterLock
from jiqun.store.tables import JSON, table
from jiqun.store.workspace import Workspace

_log = logging.getLogger(__name__)
KIND = "search.index"
"""The kind of job that writes the index anew."""
LONGEST_QUERY = 200
MOST_PIECES = 16
MOST_HITS = 100
DEEPEST = 10_000
"""How far down the list of hits a reader may go."""
_FORMAT = 1
"""Goes up when equal entries make another index."""
_LOOK_EVERY = 5.0
"""Seconds from look to look whether the data has changed."""
_HEAP = 64 << 20
_STARTS = 8
_LONGEST_WORD = 64
_LONGEST_NAME = 200
_LONGEST_TEXT = 4_000
_WEIGHT_BITS = 4
_CURRENT = "current.json"
# How far hits of different closeness are apart; what the text itself scores stays below the smallest.
_EXACT, _BEGINS, _NAMED, _WEIGHT, _SCORE = 800.0, 400.0, 200.0, 10.0, 0.02

_SPACELESS = "\u2e80-\u2fdf\u3005-\u3007\u3021-\u3029\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7a3\uf900-\ufaff"
_SPACELESS += "\U00020000-\U0003ffff"
_PIECE = re.compile(f"([{_SPACELESS}]+)|((?:(?![{_SPACELESS}])[^\\W_])+)")


@dataclass(frozen=True)
class Entry:
    """Something that can be found 检索条目.

    Parameters
    ----------
    kind
        Such as `firm` or `cluster`; hits can be narrowed to kinds.
    id
        Unique within the kind.
    title_zh, title_en
        Its names; either may be empty.
    text
        What else it may be found by, such as address or business; the first 4,000 characters count.
    codes
        Numbers and codes that it is found by whole or by their beginning.
    link
        Where it is shown, such as `/firms/org_…`.
    weight
        From 0 to 1: how much rather it is meant than others that match as well.
    """

    kind: str
    id: str
    title_zh: str
    title_en: str
    text: str = ""
    codes: Sequence[str] = ()
    link: str = ""
    weight: float = 0.0


class Source(NamedTuple):
    """Where entries come from 条目来源: `version` changes with what it reads, `entries` yields batches of them."""

    version: Callable[[Workspace], str]
    entries: Callable[[Workspace], Iterable[Sequence[Entry]]]


class Range(NamedTuple):
    """A part of a title that matches: from `start` to before `end`, in characters."""

    start: int
    end: int


@dataclass(frozen=True)
class Hit:
    """One thing that was found 命中, and where its titles match."""

    kind: str
    id: str
    title_zh: str
    title_en: str
    link: str
    score: float
    ranges_zh: tuple[Range, ...]
    ranges_en: tuple[Range, ...]


@dataclass(frozen=True)
class Found:
    """Hits of a query, best first, and how many there are in all."""

    hits: tuple[Hit, ...]
    total: int


@dataclass(frozen=True)
class Built:
    """What an index was made of 索引信息."""

    version: str
    entries: int
    bytes: int


# Folding and splitting


class _Folds(dict[int, str]):
    """What each character becomes; filled as characters are met."""

    def __missing__(self, code: int) -> str:
        wide = unicodedata.normalize("NFKC", chr(code)).casefold()
        # accents go; the marks of kana and of other scripts are letters of their own and lie elsewhere
        bare = "".join(part for part in unicodedata.normalize("NFD", wide) if not "\u0300" <= part <= "\u036f")
        found = self[code] = unicodedata.normalize("NFC", bare)
        return found


_FOLDS = _Folds()


def fold(text: str) -> str:
    """Text as it is compared: full width as half, capitals as small, Latin letters without accents.

    Examples
    --------
    >>> fold("ＡＩ芯片 Müller Straße"), fold("Cafe\u0301")
    ('ai芯片 muller strasse', 'cafe')
    """
    return text.translate(_FOLDS)


def _composed(text: str) -> str:
    """A letter and its marks as one character."""
    return unicodedata.normalize("NFC", text)


def tokens(folded: str) -> list[str]:
    """Folded text as the index holds it: words, pairs of characters, and characters that stand alone.

    Examples
    --------
    >>> tokens(fold("华为5G网络 Co."))
    ['华为', '5g', '网络', 'co']
    """
    found: list[str] = []
    for run, word in _PIECE.findall(folded):
        if word:
            found.append(word[:_LONGEST_WORD])
        elif len(run) == 1:
            found.append(run)
        else:
            found += [run[i : i + 2] for i in range(len(run) - 1)]
    return found


def _compact(folded: str) -> str:
    return "".join(run or word for run, word in _PIECE.findall(folded))


def _characters(folded: str) -> set[str]:
    return {character for run, _ in _PIECE.findall(folded) for character in run}


# Writing


def _schema() -> tantivy.Schema:
    builder = tantivy.SchemaBuilder()
    builder.add_text_field("name", tokenizer_name="whitespace", index_option="position")
    for name in ("text", "codes", "starts", "name_characters", "characters", "kind", "weight"):
        builder.add_text_field(name, tokenizer_name="whitespace", index_option="basic")
    builder.add_bytes_field("shown", stored=True)
    return builder.build()


def _document(entry: Entry) -> tantivy.Document:
    titles = [_composed(title)[:_LONGEST_NAME] for title in (entry.title_zh, entry.title_en)]
    folded = [fold(title) for title in titles]
    rest = fold(_composed(entry.text[:_LONGEST_TEXT]))
    codes = [fold(_composed(code)[:_LONGEST_NAME]) for code in entry.codes]
    starts = set()
    for name in filter(None, map(_compact, (*folded, *codes))):
        starts.add(f"={name}")
        starts.update(name[:length] for length in range(1, min(_STARTS, len(name)) + 1))
    document = tantivy.Document()
    document.add_text("name", " ".join((*tokens(folded[0]), "|", *tokens(folded[1]))))
    parts = {part for code in codes if len(of := tokens(code)) > 1 for part in of}
    document.add_text("text", " ".join(parts.union(tokens(rest))))
    document.add_text("codes", " ".join(map(_compact, codes)))
    document.add_text("starts", " ".join(starts))
    named = _characters(folded[0]) | _characters(folded[1])
    document.add_text("name_characters", " ".join(named))
    document.add_text("characters", " ".join(_characters(rest) - named))
    document.add_text("kind", entry.kind)
    level = round(min(max(entry.weight, 0.0), 1.0) * ((1 << _WEIGHT_BITS) - 1))
    document.add_text("weight", " ".join(str(bit) for bit in range(_WEIGHT_BITS) if level >> bit & 1))
    document.add_bytes("shown", json.dumps([entry.kind, entry.id, *titles, entry.link], ensure_ascii=False).encode())
    return document


def build(folder: Path, batches: Iterable[Sequence[Entry]], version: str, *, progress: Report | None = None) -> Built:
    """Write a new index 建索引 beside the one in use, which it then replaces; an error leaves that one in place.

    Parameters
    ----------
    folder
        Where indexes lie; holds nothing else.
    batches
        Entries, each `kind` and `id` once. Only one batch is held at a time.
    version
        What the entries were made from.
    progress
        Told the number of entries after every batch.

    Raises
    ------
    WorkspaceError
        JQ-STORE-005: another process is at it; JQ-STORE-010: the disk refuses.
    """
    with told(folder):
        make_folder(folder)
    with WriterLock(folder / ".lock").held(0):
        name = secrets.token_hex(8)
        path = folder / name
        with told(folder):
            for old in folder.iterdir():  # what builders that died have left
                if old.is_dir() and old.name != _current_name(folder):
                    remove(old)
            path.mkdir()
        try:
            count = _write(path, batches, progress)
            with told(path):
                files = {file.name: file.stat().st_size for file in path.iterdir() if not file.name.endswith(".lock")}
                built = Built(version, count, sum(files.values()))
                state = {"format": _FORMAT, "name": name, "files": files, **vars(built)}
                write_bytes(path / _CURRENT, json.dumps(state).encode())
                place(path / _CURRENT, folder / _CURRENT)
        except BaseException:
            shutil.rmtree(path, ignore_errors=True)
            raise
        for old in folder.iterdir():
            if old.is_dir() and old.name != name:
                shutil.rmtree(old, ignore_errors=True)  # readers keep what they have open
        return built


def _write(path: Path, batches: Iterable[Sequence[Entry]], progress: Report | None) -> int:
    with _told(path):
        writer = tantivy.Index(_schema(), path=str(path)).writer(_HEAP, 1)
    count = 0
    for batch in batches:
        for document in map(_document, batch):
            with _told(path):
                writer.add_document(document)
        count += len(batch)
        if progress is not None:
            progress("search", count, None)
    with _told(path):
        writer.commit()
        writer.wait_merging_threads()
    return count


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """Say what tantivy says when the disk refuses."""
    try:
        yield
    except (ValueError, OSError) as error:
        raise WorkspaceError("JQ-STORE-010", path=path, reason=error) from error


def _current_name(folder: Path) -> str:
    with suppress(OSError, ValueError, KeyError, TypeError):
        return str(json.loads((folder / _CURRENT).read_bytes())["name"])
    return ""


# Finding


class _Asked(NamedTuple):
    """A query, split: words, runs of characters, and the compact whole."""

    words: tuple[str, ...]
    runs: tuple[str, ...]
    last: str
    whole: str


def _asked(query: str) -> _Asked:
    """What is searched for.

    Raises
    ------
    UsageError
        JQ-SEARCH-001: longer than `LONGEST_QUERY`.
    """
    if len(query) > LONGEST_QUERY:
        raise UsageError("JQ-SEARCH-001", length=len(query), most=LONGEST_QUERY)
    folded = fold(_composed(query))
    pieces = _PIECE.findall(folded)[:MOST_PIECES]
    words = [word[:_LONGEST_WORD] for _, word in pieces if word]
    last = pieces[-1][1][:_LONGEST_WORD] if pieces else ""  # empty if it is a run
    runs = dict.fromkeys(run for run, _ in pieces if run)
    return _Asked(tuple(dict.fromkeys(words)), tuple(runs), last, _compact(folded))


class Index:
    """An index to search in 检索索引. Follows `build` in the same folder, by whatever process."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._stamp: object = None
        self._index: tantivy.Index
        self._searcher: tantivy.Searcher
        self.built: Built
        self._refresh()

    @classmethod
    def open(cls, folder: Path) -> Index:
        """Open the index in a folder.

        Raises
        ------
        WorkspaceError
            JQ-SEARCH-002: there is none, or it is damaged or of another program: it must be built anew.
        """
        return cls(folder)

    def find(self, query: str, *, kinds: Sequence[str] | None = None, limit: int = 20, offset: int = 0) -> Found:
        """What matches all words of a query 查找, best first.

        A title equal to the query comes first, then titles that begin with it, then titles that hold its words, then
        what holds them elsewhere; among equals, the weightier.

        Raises
        ------
        UsageError
            JQ-SEARCH-001: the query is too long; JQ-SEARCH-003: `limit` or `offset` is out of bounds.
        WorkspaceError
            JQ-SEARCH-002: the index is gone or damaged.
        """
        if not (0 < limit <= MOST_HITS and 0 <= offset <= DEEPEST):
            raise UsageError("JQ-SEARCH-003", limit=MOST_HITS, offset=DEEPEST)
        asked = _asked(query)
        if not asked.whole:
            return Found((), 0)
        self._refresh()
        searcher = self._searcher
        with _sound(self._folder):
            result = searcher.search(_query(self._index.schema, asked, kinds), limit, offset=offset)
            documents = [(score, searcher.doc(address)) for score, address in result.hits]
            hits = []
            for score, document in documents:
                kind, id_, zh, en, link = json.loads(bytes(document.get_first("shown") or b""))
                hits.append(Hit(kind, id_, zh, en, link, float(score), _ranges(zh, asked), _ranges(en, asked)))
            return Found(tuple(hits), result.count or 0)  # type: ignore[attr-defined]  # the stub forgets it

    def _refresh(self) -> None:
        """Open what is current, unless it is open already."""
        while True:
            with _sound(self._folder):
                stamp = self._current()
                if stamp == self._stamp:
                    return
                try:
                    self._open()
                except (OSError, ValueError):
                    if self._current() != stamp:  # replaced just now
                        continue
                    raise
                self._stamp = stamp
                return

    def _current(self) -> object:
        """Changes whenever another index becomes current."""
        found = (self._folder / _CURRENT).stat()
        return found.st_ino, found.st_mtime_ns, found.st_size

    def _open(self) -> None:
        state = json.loads((self._folder / _CURRENT).read_bytes())
        path = self._folder / str(state["name"])
        whole = all((path / name).stat().st_size == size for name, size in state["files"].items())
        if state["format"] != _FORMAT or not whole:
            raise ValueError("not as it was written")
        index = tantivy.Index.open(str(path))
        self._index, self._searcher = index, index.searcher()
        self.built = Built(state["version"], state["entries"], state["bytes"])


@contextmanager
def _sound(folder: Path) -> Iterator[None]:
    """Say of an index that cannot be read that it must be built anew."""
    try:
        yield
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise WorkspaceError("JQ-SEARCH-002", path=folder) from error
    except BaseException as error:
        if type(error).__name__ != "PanicException":  # what a damaged file makes of tantivy
            raise
        raise WorkspaceError("JQ-SEARCH-002", path=folder) from error


def _query(schema: tantivy.Schema, asked: _Asked, kinds: Sequence[str] | None) -> Query:
    def term(field: str, value: str) -> Query:
        return Query.term_query(schema, field, value, index_option="basic")

    def scored(query: Query, score: float) -> tuple[Occur, Query]:
        return Occur.Should, Query.const_score_query(query, score)

    pieces = [*_runs(schema, asked.runs), *_words(schema, asked)]
    parts = [(Occur.Must, Query.boost_query(_any(piece), _SCORE)) for piece in pieces]
    if kinds is not None:
        parts.append((Occur.Must, Query.const_score_query(_any(term("kind", kind) for kind in kinds), 0.0)))
    parts.append(scored(_all(piece[0] for piece in pieces), _NAMED))
    parts.append(scored(term("starts", asked.whole[:_STARTS]), _BEGINS))
    parts.append(scored(term("starts", f"={asked.whole}"), _EXACT))
    parts += [scored(term("weight", str(bit)), _WEIGHT * (1 << bit)) for bit in range(_WEIGHT_BITS)]
    return Query.boolean_query(parts)


def _runs(schema: tantivy.Schema, runs: Sequence[str]) -> Iterator[tuple[Query, ...]]:
    """For each run, where it may stand: the first of the queries is for names."""
    for run in runs:
        pairs: list[Any] = tokens(run)
        if len(run) == 1:
            yield tuple(
                Query.term_query(schema, f, run, index_option="basic") for f in ("name_characters", "characters")
            )
        elif len(pairs) == 1:
            yield tuple(Query.term_query(schema, field, run) for field in ("name", "text"))
        else:  # beyond names all pairs are enough: that they follow each other would cost more than it tells
            yield (
                Query.phrase_query(schema, "name", pairs),
                _all(Query.term_query(schema, "text", p) for p in set(pairs)),
            )


def _words(schema: tantivy.Schema, asked: _Asked) -> Iterator[tuple[Query, ...]]:
    """As `_runs`, for each word. The last may not have been typed to its end."""
    for word in asked.words:
        if word != asked.last:
            yield tuple(Query.term_query(schema, field, word) for field in ("name", "text", "codes"))
            continue
        begins = [Query.regex_query(schema, field, f"{word}.*") for field in ("name", "text")]  # letters and digits
        if len(word) <= _STARTS:
            codes = Query.term_query(schema, "starts", word, index_option="basic")
        else:
            codes = Query.regex_query(schema, "codes", f"{word}.*")
        yield (
            _any((Query.term_query(schema, "name", word), begins[0])),
            _any((Query.term_query(schema, "text", word), begins[1])),
            codes,
        )


def _any(queries: Iterable[Query]) -> Query:
    return Query.boolean_query([(Occur.Should, query) for query in queries])


def _all(queries: Iterable[Query]) -> Query:
    return Query.boolean_query([(Occur.Must, query) for query in queries])


def _ranges(title: str, asked: _Asked) -> tuple[Range, ...]:
    """Where a title matches, without overlaps."""
    folds = [fold(character) for character in title]
    at = [number for number, one in enumerate(folds) for _ in one]
    spans = []
    for found in _PIECE.finditer("".join(folds)):
        run, word = found.groups()
        if word and (word in asked.words or (asked.last and word.startswith(asked.last))):
            spans.append((found.start(), found.start() + len(asked.last if word not in asked.words else word)))
        for wanted in asked.runs if run else ():
            start = run.find(wanted)
            while start >= 0:
                spans.append((found.start() + start, found.start() + start + len(wanted)))
                start = run.find(wanted, start + 1)
    merged: list[Range] = []
    for start, end in sorted((at[start], at[end - 1] + 1) for start, end in spans):
        if merged and start <= merged[-1].end:
            merged[-1] = Range(merged[-1].start, max(end, merged[-1].end))
        else:
            merged.append(Range(start, end))
    return tuple(merged)


# The index of a workspace


def index_folder(workspace: Workspace) -> Path:
    """Where a workspace's index lies: among what can be made again."""
    return workspace.cache / "search"


def current_version(workspace: Workspace, sources: Mapping[str, Source]) -> str:
    """What an index built now would be made of."""
    versions = {name: source.version(workspace) for name, source in sources.items()}
    return hashlib.sha256(json.dumps([_FORMAT, versions], sort_keys=True).encode()).hexdigest()


def stale(workspace: Workspace, sources: Mapping[str, Source]) -> bool:
    """Whether the index is missing, damaged, or made of something else than there is now 需要重建."""
    try:
        return Index.open(index_folder(workspace)).built.version != current_version(workspace, sources)
    except WorkspaceError:
        return True


def index_workspace(workspace: Workspace, sources: Mapping[str, Source], *, progress: Report | None = None) -> Built:
    """Build the index of a workspace 重建索引 from all sources, by name.

    Raises
    ------
    WorkspaceError
        As `build`.
    """
    version = current_version(workspace, sources)
    batches = (batch for _, source in sorted(sources.items()) for batch in source.entries(workspace))
    return build(index_folder(workspace), batches, version, progress=progress)


def keep_fresh(workspace: Workspace, sources: Mapping[str, Source]) -> Callable[[Event], None]:
    """What a worker runs beside its jobs: queue a rebuild whenever the data changed without one being asked for.

    So does a load from the command line, a snapshot taken back, or a workspace that was restored.
    """

    def queue(connection: Connection) -> None:
        jobs = table("jobs")
        waiting = select(jobs.c.id).where(jobs.c.kind == KIND, jobs.c.state.in_(("queued", "running")))
        if connection.execute(waiting.limit(1)).first() is None:
            Transaction(connection, workspace.clock()).job(KIND, None)

    def follow(stop: Event) -> None:
        asked_for = None
        while True:
            try:
                version = current_version(workspace, sources)
                if version != asked_for and stale(workspace, sources):
                    workspace.database.upkeep(queue)
                    workspace.database.jobs.wake()
                asked_for = version
            except (DBAPIError, WorkspaceError) as error:
                _log.warning("search index: %s", error)
            if stop.wait(_LOOK_EVERY):
                return

    return follow


def handler(sources: Mapping[str, Source]) -> Callable[[Workspace, Job, Report], JSON]:
    """The handler of jobs of kind `search.index` for these sources; one that finds the index fresh does nothing."""

    def handle(workspace: Workspace, job: Job, report: Report) -> JSON:
        del job
        if not stale(workspace, sources):
            return None
        return dict(vars(index_workspace(workspace, sources, progress=report)))

    return handle
