"""The search index: recall, order, what is typed, languages, rebuilding, damage."""

from __future__ import annotations

import json
import random
import re
import threading
import unicodedata
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jiqun.core.errors import UsageError, WorkspaceError
from jiqun.store.search import (
    DEEPEST,
    KIND,
    LONGEST_QUERY,
    MOST_HITS,
    Entry,
    Index,
    Source,
    build,
    fold,
    handler,
    index_folder,
    index_workspace,
    keep_fresh,
    stale,
    tokens,
)
from jiqun.store.worker import work

FIRMS = [
    ("华为技术有限公司", "Huawei Technologies Co., Ltd.", "通信设备、5G网络", "914403001922038216"),
    ("深圳华为数字能源技术有限公司", "", "光伏逆变器", "91440300MA5GTHB00X"),
    ("华为", "Huawei", "", ""),
    ("寒武纪AI芯片研究院", "Cambricon AI chips", "人工智能芯片", ""),
    ("A股信息服务", "Müller & Söhne Straße GmbH", "Café", "GB/T 4754-2017:6513"),
    ("云南航天工业", "H3C", "贵州", "9154"),
    ("東京エレクトロン", "삼성전자", "ｶﾀｶﾅ ＦＵＬＬ", ""),
    ("𠮷野家数据", "Xi'an Data_Works", "", ""),
]


def entries() -> list[Entry]:
    return [
        Entry("firm", str(number), zh, en, text, (code,) if code else (), f"/firms/{number}")
        for number, (zh, en, text, code) in enumerate(FIRMS)
    ]


@pytest.fixture(scope="module")
def index(tmp_path_factory) -> Index:
    folder = tmp_path_factory.mktemp("index")
    built = build(folder, [entries()[:3], entries()[3:], []], "v1")
    assert (built.version, built.entries) == ("v1", len(FIRMS))
    return Index.open(folder)


def found(index: Index, query: str, **more) -> list[str]:
    return [hit.id for hit in index.find(query, **more).hits]


def test_an_exact_name_comes_before_a_beginning_before_a_part_before_other_fields(tmp_path):
    build(
        tmp_path,
        [
            [
                Entry("firm", "elsewhere", "无关企业", "", text="智能语音平台", weight=1.0),
                Entry("firm", "part", "合肥智能语音产业园", "", weight=1.0),
                Entry("firm", "begins", "智能语音创新中心", "", weight=0.5),
                Entry("firm", "begins heavy", "智能语音技术中心", "", weight=0.9),
                Entry("cluster", "exact", "智能语音", "Intelligent speech"),
            ]
        ],
        "v",
    )
    index = Index.open(tmp_path)
    assert found(index, "智能语音") == ["exact", "begins heavy", "begins", "part", "elsewhere"]
    assert found(index, "智能语音", kinds=["cluster"]) == ["exact"]
    assert found(index, "智能语音", kinds=[]) == []
    assert found(index, "智能语音", limit=2, offset=1) == ["begins heavy", "begins"]
    assert index.find("智能语音", limit=1).total == 5
    assert found(index, "speech INTELL") == ["exact"]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("华为", {"0", "1", "2"}),
        ("深圳 能源", {"1"}),
        ("华", {"0", "1", "2"}),
        ("光", {"1"}),
        ("5G", {"0"}),
        ("5g网络", {"0"}),
        ("AI芯片", {"3"}),
        ("AI芯", {"3"}),
        ("a股", {"4"}),
        ("huaw", {"0", "2"}),
        ("HUAWEI tech", {"0"}),
        ("ＨＵＡＷＥＩ", {"0", "2"}),
        ("muller", {"4"}),
        ("Müller soh", {"4"}),
        ("mu\u0308ller", {"4"}),
        ("strasse", {"4"}),
        ("cafe", {"4"}),
        ("914403001922038216", {"0"}),
        ("9144", {"0", "1"}),
        ("91440300MA", {"1"}),
        ("91440300ma5gthb00x", {"1"}),
        ("6513", {"4"}),
        ("GB/T 4754-2017:6513", {"4"}),
        ("GB/T 4754", {"4"}),
        ("レクト", {"6"}),
        ("カタカナ full", {"6"}),
        ("성전", {"6"}),
        ("𠮷野", {"7"}),
        ("𠮷", {"7"}),
        ("xi'an", {"7"}),
        ("data works", {"7"}),
        ("h3c", {"5"}),
        ("为华", set()),
        ("uawei", set()),
        ("", set()),
        ("  ，。!", set()),
    ],
)
def test_what_a_query_finds(index, query, expected):
    assert set(found(index, query)) == expected


@pytest.mark.parametrize(
    "query",
    [
        "name:华为", '"华为"', "华为 AND NOT 技术", "kind:firm", "*", "华为*", "-华为", "(华为", "[a TO z]", "华为~2", "华为^9",
        "/.*/", ".*", "h.*", "\\", "'; drop table", "华为 OR 5G", "{}", "+", "name:[* TO *]", "\0", "\ud800", "华为\x00技术",
        "<script>", "^", "=华为", "|", "a" * LONGEST_QUERY, "华" * LONGEST_QUERY, "华 " * (LONGEST_QUERY // 2), "1 " * 100,
    ],
)  # fmt: skip
def test_what_is_typed_is_words_and_nothing_else(index, query):
    words = [word.lower() for word in re.findall(r"[^\W_]+", query)]
    for hit in index.find(query).hits:
        told = " ".join(FIRMS[int(hit.id)]).lower()
        assert all(word in told for word in words)


def test_operators_are_words(index):
    assert found(index, "华为 OR 5G") == []
    assert found(index, "华为 技术 -能源") == ["1"]
    assert found(index, "=华为")[0] == "2"


def test_bounds(index):
    with pytest.raises(UsageError, match="JQ-SEARCH-001"):
        index.find("华" * (LONGEST_QUERY + 1))
    for limit, offset in ((0, 0), (MOST_HITS + 1, 0), (1, -1), (1, DEEPEST + 1)):
        with pytest.raises(UsageError, match="JQ-SEARCH-003"):
            index.find("华", limit=limit, offset=offset)


def marked(title: str, ranges) -> str:
    for start, end in reversed(ranges):
        title = f"{title[:start]}[{title[start:end]}]{title[end:]}"
    return title


@pytest.mark.parametrize(
    ("query", "zh", "en"),
    [
        ("华为", "[华为]", "Huawei"),
        ("寒武 AI芯 chi", "[寒武]纪[AI芯]片研究院", "Cambricon [AI] [chi]ps"),
        ("muller strasse", "A股信息服务", "[Müller] & Söhne [Straße] GmbH"),
        ("𠮷野家数", "[𠮷野家数]据", "Xi'an Data_Works"),
    ],
)
def test_where_a_title_matches(index, query, zh, en):
    hit = index.find(query).hits[0]
    assert marked(hit.title_zh, hit.ranges_zh) == zh
    assert marked(hit.title_en, hit.ranges_en) == en


ALPHABET = "华为技术深圳网络數据エレク삼성"
TITLES = st.lists(
    st.one_of(
        st.text(ALPHABET, min_size=1, max_size=6),
        st.text("AaéÉß1ü5G", min_size=1, max_size=5),
        st.sampled_from(" -,(·"),
    ),
    min_size=1,
    max_size=5,
).map("".join)


@settings(max_examples=25)
@given(st.lists(TITLES, min_size=1, max_size=12), st.randoms(use_true_random=False))
def test_every_part_of_a_title_finds_it(tmp_path_factory, titles, randomness):
    """A part of a run of characters, or a whole word, and any few of them together."""
    folder = tmp_path_factory.mktemp("recall")
    batch = [Entry("firm", str(number), title, "") for number, title in enumerate(titles)]
    build(folder, [batch], "v")
    index = Index.open(folder)
    for number, title in enumerate(titles):
        parts = []
        for piece in re.findall(f"[{ALPHABET}]+|[^\\W_{ALPHABET}]+", unicodedata.normalize("NFC", title)):
            if piece[0] in ALPHABET:
                start = randomness.randrange(len(piece))
                parts.append(piece[start : randomness.randint(start + 1, len(piece))])
            else:
                parts.append(piece)
        for query in [title, *parts, " ".join(parts)]:
            if fold(query).strip(" -,(·"):
                assert str(number) in found(index, query, limit=MOST_HITS), query


@settings(max_examples=1000)
@given(st.text(max_size=60), st.text(max_size=60))
def test_folding_and_splitting_take_any_text(one, other):
    assert fold(fold(one)) == fold(one)
    assert all(token and not token.isspace() and " " not in token for token in tokens(fold(one)))
    assert fold(one) + fold(other) == fold(one + other)


def test_any_text_can_be_an_entry_and_a_query(tmp_path):
    @settings(max_examples=25)
    @given(st.lists(st.text(max_size=80), min_size=4, max_size=4))
    def check(texts):
        build(
            tmp_path,
            [[Entry("page", texts[0].encode("utf-8", "replace").decode(), *clean(texts[1:3]), *clean(texts[3:]))]],
            "v",
        )
        index = Index.open(tmp_path)
        for query in clean(texts):
            index.find(query)

    check()


def clean(texts: list[str]) -> list[str]:
    return [text.encode("utf-8", "replace").decode() for text in texts]


def test_readers_follow_a_rebuild_and_keep_what_they_have_until_then(tmp_path):
    build(tmp_path, [[Entry("firm", "1", "旧的", "")]], "v1")
    index = Index.open(tmp_path)
    assert found(index, "旧") == ["1"]

    def broken():
        yield [Entry("firm", "2", "半个", "")]
        raise RuntimeError("a source fails")

    with pytest.raises(RuntimeError, match="a source fails"):
        build(tmp_path, broken(), "v2")
    assert found(index, "旧") == ["1"]
    assert Index.open(tmp_path).built.version == "v1"
    (tmp_path / "0123456789abcdef").mkdir()  # left by a builder that was killed
    build(tmp_path, [[Entry("firm", "3", "新的", "")]], "v3")
    assert found(index, "新") == ["3"]
    assert found(index, "旧") == []
    assert index.built.version == "v3"
    assert sum(path.is_dir() for path in tmp_path.iterdir()) == 1


def test_a_reader_never_sees_half_an_index(tmp_path):
    """While one thread rebuilds without pause, others always find all entries of one version."""
    batch = [Entry("firm", str(number), f"企业{number}", "") for number in range(20)]
    build(tmp_path, [batch], "0")
    stop, failed = threading.Event(), []

    def read():
        index = Index.open(tmp_path)
        try:
            while not stop.is_set():
                assert index.find("企业").total == 20
                Index.open(tmp_path)
        except BaseException as error:  # noqa: BLE001
            failed.append(error)

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for version in range(12):
        build(tmp_path, [batch], str(version))
    stop.set()
    for reader in readers:
        reader.join()
    assert failed == []


def test_one_builder_at_a_time(tmp_path):
    refused = []

    def entries():
        try:
            build(tmp_path, [], "inner")
        except WorkspaceError as error:
            refused.append(error.code)
        yield [Entry("firm", "1", "企业", "")]

    thread = threading.Thread(target=lambda: build(tmp_path, entries_in_thread(), "outer"))

    def entries_in_thread():
        inner = threading.Thread(target=lambda: list(entries()))
        inner.start()
        inner.join()
        yield [Entry("firm", "1", "企业", "")]

    thread.start()
    thread.join()
    assert refused == ["JQ-STORE-005"]
    assert Index.open(tmp_path).built.version == "outer"


def test_a_missing_or_damaged_index_is_told_and_can_be_rebuilt(tmp_path):
    with pytest.raises(WorkspaceError, match="JQ-SEARCH-002"):
        Index.open(tmp_path)
    batch = [Entry("firm", str(number), f"企业{number}", f"Firm {number}") for number in range(50)]
    randomness = random.Random(7)

    def damage(path, how):
        content = path.read_bytes()
        if how == "cut":
            path.write_bytes(content[: len(content) // 2])
        elif how == "remove":
            path.unlink()
        else:
            path.write_bytes(bytes(randomness.randrange(256) for _ in content))

    for how in ("cut", "remove", "garble"):
        for number in range(3):
            build(tmp_path, [batch], "v")
            (folder,) = (path for path in tmp_path.iterdir() if path.is_dir())
            files = sorted(path for path in folder.iterdir() if not path.name.endswith(".lock"))
            damage(files[(number * 5 + 1) % len(files)], how)
            if how == "garble":  # may be seen at once or never, but only as what it is
                with suppress(WorkspaceError):
                    Index.open(tmp_path).find("企业")
            else:
                with pytest.raises(WorkspaceError, match="JQ-SEARCH-002"):
                    Index.open(tmp_path)
    for content in (b"", b"{}", b"[]", b"\xff", json.dumps({"name": "../x", "format": 1, "files": {}}).encode()):
        (tmp_path / "current.json").write_bytes(content)
        with pytest.raises(WorkspaceError, match="JQ-SEARCH-002"):
            Index.open(tmp_path)
    build(tmp_path, [batch], "v")
    assert Index.open(tmp_path).find("企业").total == 50


def test_a_workspace_knows_when_its_index_is_stale(workspace):
    version = ["1"]
    sources = {
        "b": Source(lambda _: version[0], lambda _: [[Entry("firm", "1", f"第{version[0]}版", "")]]),
        "a": Source(lambda _: "x", lambda _: [[Entry("page", "2", "帮助", "Help")]]),
    }
    assert stale(workspace, sources)
    told = []
    handle = handler(sources)
    result = handle(workspace, None, lambda *step: told.append(step))
    assert result["entries"] == 2
    assert told == [("search", 1, None), ("search", 2, None)]
    assert not stale(workspace, sources)
    assert handle(workspace, None, lambda *step: None) is None
    index = Index.open(index_folder(workspace))
    assert found(index, "help") == ["2"]
    version[0] = "2"
    assert stale(workspace, sources)
    index_workspace(workspace, sources)
    assert found(index, "第2版") == ["1"]
    assert not stale(workspace, sources)
    assert KIND == "search.index"


def test_a_worker_asks_for_a_new_index_once_for_each_change(workspace):
    version = ["1"]
    sources = {"a": Source(lambda _: version[0], lambda _: [[Entry("firm", "1", f"第{version[0]}版", "")]])}
    jobs, at_once = workspace.database.jobs, threading.Event()
    at_once.set()
    look = keep_fresh(workspace, sources)

    def seen() -> list[str]:
        look(at_once)
        return [job.state for job in jobs.list(kind=KIND)]

    assert seen() == ["queued"]
    assert seen() == ["queued"]
    work(workspace, {KIND: handler(sources)}, once=True)
    assert seen() == ["done"]
    version[0] = "2"
    assert sorted(seen()) == ["done", "queued"]
    work(workspace, {KIND: handler(sources)}, once=True)
    assert not stale(workspace, sources)
