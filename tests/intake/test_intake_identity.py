"""Keys, duplicates and ids against a dictionary."""

from __future__ import annotations

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from jiqun.core.schema import schema, schemas
from jiqun.intake import identity
from jiqun.intake._geo import key
from jiqun.intake.identity import Register
from jiqun.intake.known_names import comparable

FIRMS = schema("organisations")
FIELDS = ("uscc", "source_id", "name", "country", "city")
ROW = st.tuples(
    st.sampled_from([None, None, "U1", "U2"]),
    st.sampled_from([None, None, "s1", "s2"]),
    st.sampled_from(["甲公司", "甲 公司", "Acme Ltd.", "ACME LTD", "乙公司"]),
    st.sampled_from([None, "CN", "US"]),
    st.sampled_from([None, "深圳", "北京"]),
)


def frame(rows, first_row=2):
    types = dict.fromkeys(FIELDS, pl.String)
    return pl.DataFrame(rows, schema=types, orient="row").with_columns(
        pl.int_range(first_row, first_row + len(rows), dtype=pl.Int64).alias("source_row")
    )


def key_of(row):
    uscc, source_id, name, country, city = row
    if uscc:
        return ("uscc", uscc)
    if source_id:
        return ("source_id", source_id)
    return ("name", "".join(c for c in name.lower() if c.isalnum()), country, city)


@given(st.lists(st.lists(ROW, max_size=12), max_size=5))
def test_duplicates_are_those_of_a_dictionary(batches):
    register, seen, at = Register(FIRMS), {}, 2
    for rows in batches:
        found = register.identify(frame(rows, at))
        for k, row in enumerate(rows):
            kept = seen.setdefault(key_of(row), (at + k, found.ids[k]))
            assert found.ids[k] == kept[1]
            assert found.repeats[k] == (None if kept[0] == at + k else kept[0])
        at += len(rows)
    assert register.new == len(seen)
    assert len({i for _, i in seen.values()}) == len(seen)


@given(st.lists(ROW, max_size=15, unique_by=key_of), st.lists(ROW, max_size=15, unique_by=key_of))
def test_ids_stay_and_never_serve_twice(before, after):
    first = Register(FIRMS)
    old = frame(before).with_columns(first.identify(frame(before)).ids)
    second = Register(FIRMS)
    second.remember(old)
    new = frame(after)
    found = second.identify(new)
    by_key = {key_of(row): i for row, i in zip(before, old["id"], strict=True)}
    ids = found.ids.to_list()
    assert len(set(ids)) == len(ids)
    inherited = 0
    for row, given_id in zip(after, ids, strict=True):
        if key_of(row) in by_key and given_id != by_key[key_of(row)]:
            # only where a row with a better key took the id over
            assert by_key[key_of(row)] in ids
        inherited += given_id in by_key.values()
    assert second.gone == len(before) - inherited
    assert second.new == len(after) - inherited


def test_a_firm_that_gains_a_credit_code_keeps_its_id():
    old = frame([(None, None, "甲公司", "CN", "深圳"), (None, "s1", "乙公司", None, None)])
    first = Register(FIRMS)
    old = old.with_columns(first.identify(old).ids)
    second = Register(FIRMS)
    second.remember(old)
    rows = [
        ("U1", None, "甲公司", "CN", "深圳"),
        ("U2", "s1", "乙公司", None, None),
        ("U3", None, "丙公司", None, None),
    ]
    assert second.identify(frame(rows)).ids.to_list() == ["o0000001", "o0000002", "o0000003"]
    assert (second.new, second.gone) == (1, 0)


def test_one_name_in_two_cities_is_two_firms():
    rows = [(None, None, "第一医院", "CN", "深圳"), (None, None, "第一医院", "CN", "北京")]
    found = Register(FIRMS).identify(frame(rows))
    assert found.repeats.null_count() == 2
    assert found.ids.n_unique() == 2


def test_tables_grow_far_beyond_their_first_size():
    count = 30_000
    rows = pl.DataFrame({"uscc": [f"U{k}" for k in range(count)]}).with_columns(
        *(pl.lit(None, pl.String).alias(name) for name in FIELDS[1:]),
        pl.int_range(count, dtype=pl.Int64).alias("source_row") + 2,
    )
    register = Register(FIRMS)
    for part in rows.iter_slices(7_000):
        assert register.identify(part).repeats.null_count() == part.height
    again = register.identify(rows.with_columns(pl.col("source_row") + count))
    assert again.repeats.to_list() == rows["source_row"].to_list()
    assert count > identity._SMALLEST


def followed(before, after, former=None):
    """Ids of two loads by row, the second after its names were followed."""
    first, second = Register(FIRMS), Register(FIRMS)
    old = frame(before).with_columns(first.identify(frame(before)).ids)
    second.remember(old)
    rows = frame(after)
    if former is not None:
        rows = rows.with_columns(pl.Series("former_names", former, dtype=pl.String))
    ids = second.identify(rows).ids
    known = dict(second.follow().iter_rows())
    return old["id"].to_list(), [known.get(id_, id_) for id_ in ids], second


def test_a_city_with_and_without_its_suffix_is_one():
    two = [(None, None, "宏达", "CN", city) for city in ("杭州", "苏州市")]
    old, new, register = followed(two, [(None, None, "宏达", "CN", city) for city in ("苏州", "杭州市")])
    assert new == old[::-1]
    assert (register.new, register.gone) == (0, 0)
    assert len(set(followed([(None, None, "宏达", "CN", city) for city in ("朝阳市", "朝阳区")], [])[0])) == 2


def test_a_name_that_is_one_firms_on_both_sides_keeps_its_id():
    before = [(None, None, "甲", "CN", "深圳"), (None, None, "乙", "CN", "北京"), ("U1", None, "丙", "CN", "广州")]
    after = [(None, None, "甲", "CN", "Shenzhen"), (None, None, "乙", "US", "北京"), (None, "s9", "丙", "CN", None)]
    old, new, register = followed(before, after)
    assert new == [old[0], "o0000005", old[2]]
    assert (register.new, register.gone, register.next_id > 4) == (1, 1, True)
    assert register.lacks(pl.Series([*old, "o0000005", "odd"])).to_list() == [False, True, False, False, True]


def test_a_name_of_several_firms_is_followed_by_nobody():
    one, other = (None, None, "甲", "CN", "深圳"), (None, None, "甲", "CN", "上海")
    third = (None, None, "甲", "CN", "成都")
    old, new, _ = followed([one, other], [one, third])
    assert new[0] == old[0]
    assert new[1] not in old
    assert followed([one], [other, third])[2].new == 2
    assert followed([("U1", None, "甲", "CN", None)], [("U2", None, "甲", "CN", None)])[2].new == 1, "codes differ"


def test_a_renamed_firm_is_followed_by_its_former_name():
    before = [(None, None, name, "CN", "深圳") for name in ("甲公司", "乙公司", "丙公司")]
    after = [(None, None, name, "CN", "深圳") for name in ("新甲", "新乙", "丙公司")]
    old, new, _ = followed(before, after, ["老甲；甲公司", "丙公司", None])
    assert new == [old[0], "o0000005", old[2]], "a name that is borne today says nothing of who bore it"


def test_every_table_has_a_letter_of_its_own():
    letters = [Register(s).prefix for s in schemas().values()]
    assert len(set(letters)) == len(letters)


@given(
    st.lists(st.one_of(st.none(), st.text(max_size=12), st.text("甲乙公司（ＡａÀéßŁø１ ()·-", max_size=8)), max_size=20)
)
def test_names_are_compared_as_the_gazetteer_compares_them(names):
    column = pl.Series("name", names, dtype=pl.String)
    expected = pl.DataFrame({"name": column}).select(key(pl.col("name"))).to_series()
    same = expected.zip_with(expected != "", column)
    assert comparable(column).to_list() == same.to_list()
