"""Codes: which are known, how they may be written, what an unknown one probably was."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jiqun import taxonomy
from jiqun.core.errors import InputError, UsageError
from jiqun.taxonomy.tables import industries

CLASSES = sorted(code for code in taxonomy.known_codes() if len(code) == 4)
ANYTHING = st.text() | st.text(alphabet="0123456789.:ABCDEIOlZ 一", max_size=8) | st.from_regex(r"[0-9]{2,6}")


def test_gbt_4754_has_97_divisions_473_groups_and_1382_classes():
    """97 and 473 as commonly published; 1,382 is the count of the 2019 amended table that was compared with
    three others (1,377 to 1,381 classes). Public pages print 1,380 or 1,381: the last figure is not
    confirmed by any of them.
    """
    counts = {
        level: sum(each.level == level for each in industries().values()) for level in ("division", "group", "class")
    }
    assert counts == {"division": 97, "group": 473, "class": 1382}


def test_every_item_stands_under_the_item_its_code_names():
    for each in industries().values():
        assert each.parent == (each.full_code[0] if each.level == "division" else each.code[:-1])
        assert each.full_code[1:] == each.code


@pytest.mark.parametrize(
    "written",
    ["6513", "I6513", "GB/T 4754-2017:6513", "GB/T 4754-2017:I6513", "GB/T4754-2017:6513", "６５１３", "Ｉ６５１３"],
)
def test_spellings_of_one_code_are_one_code(written):
    assert taxonomy.canonical(written) == "6513"
    assert taxonomy.is_known(written)


@pytest.mark.parametrize(
    "written",
    ["", "6", "I", "A6513", "i6513", "6513 ", "65130", "6５13", "ISIC4:6513", "digital-2021:0301", "6513\n"],
)
def test_what_is_not_a_code_is_not_known(written):
    assert not taxonomy.is_known(written)


@pytest.mark.parametrize(
    ("scheme", "written", "code"),
    [
        ("ISIC4", "6201", "6201"),
        ("ISIC4", "ISIC4:62.01", "6201"),
        ("ISIC4", "62011", "6201"),  # a national class below 6201
        ("NACE2", "62.01", "62.01"),
        ("NACE2", "6201", "62.01"),
        ("NACE2", "NACE2:62", "62"),
        ("NACE2", "62.0", "62.0"),
        ("NACE2", "6201Z", "62.01"),  # NAF
        ("NACE2", "62.01.9", "62.01"),  # WZ
        ("NAICS2017", "334111", "334111"),
        ("NAICS2017", "3341", "3341"),
        ("NACE2", "6.201", None),
        ("NACE2", "62.01.99.1", None),
        ("ISIC4", "0111", None),
        ("NAICS2017", "3341111", None),
        ("ISIC4", "6٢01", None),
        ("ISIC4", "6201\n", None),
    ],
)
def test_spellings_over_the_bridges(scheme, written, code):
    assert taxonomy.canonical(written, scheme) == code


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("65O3", "6513"),  # 6503 does not exist; of 65?3 only one class does
        ("391l", "3911"),
        ("Z330", "2330"),
        ("6５13", "6513"),
        ("６５１３", None),  # known as it is
        ("ZZZZ", None),
        ("SOIO", None),
        ("65ZZ", None),
        ("GB/T4754-2017: 65I3", "6513"),
        (" 65 13", "6513"),
        ("6513.0", "6513"),
        ("65.13", "6513"),
        ("i6513", "6513"),
        ("A6513", "6513"),
        ("65133", "6513"),
        ("6531o", "6531"),
        ("3", "03"),
        ("6514", None),  # 6511, 6512, 6513 and 6519 are equally near
        ("65X", None),
        ("6513", None),
        ("", None),
        ("软件", None),
        ("6" * 1000, None),
    ],
)
def test_suggestions(written, meant):
    assert taxonomy.suggest(written) == meant


def test_suggestions_over_the_bridges():
    assert taxonomy.suggest("62O1", "ISIC4") == "6201"
    assert taxonomy.suggest("62,01", "NACE2") == "62.01"
    assert taxonomy.suggest("33411l", "NAICS2017") == "334111"


@pytest.mark.parametrize("letters", ["0O", "1l", "1I", "5S", "8B"])
def test_a_letter_for_a_digit_is_always_undone(letters):
    digit, letter = letters
    for code in CLASSES:
        for place in range(4):
            written = code[:place] + letter + code[place + 1 :]
            if code[place] == digit and not taxonomy.is_known(written):  # S910 is group 910 with its letter
                assert taxonomy.suggest(written) == code


@given(code=ANYTHING, scheme=st.sampled_from(taxonomy.SCHEMES))
def test_a_suggestion_is_a_known_code_for_an_unknown_one(code, scheme):
    meant = taxonomy.suggest(code, scheme)
    assert meant is None or (meant in taxonomy.known_codes(scheme) and not taxonomy.is_known(code, scheme))


@pytest.mark.parametrize("scheme", taxonomy.SCHEMES)
def test_official_forms_are_their_own_canonical_form(scheme):
    for code in taxonomy.known_codes(scheme):
        assert taxonomy.canonical(code, scheme) == code
        assert taxonomy.canonical(f"{scheme}:{code}", scheme) == code


def test_names_and_parents():
    assert taxonomy.name("04") == "数字要素驱动业"
    assert taxonomy.name("digital-2021:010101", "en") == "Complete computer manufacturing"
    assert [taxonomy.parent(code) for code in ("010101", "0101", "01")] == ["0101", "01", None]
    assert taxonomy.industry_name("3912") == "计算机零部件制造"
    for name, wrong in (
        (taxonomy.name, "0399"),
        (taxonomy.parent, "3"),
        (taxonomy.industry_name, "99999"),
        (taxonomy.name, None),
    ):
        with pytest.raises(InputError):
            name(wrong)


def test_an_unknown_scheme_names_the_known_ones():
    with pytest.raises(UsageError, match=r"JQ-USE-001.*SIC1987.*(\n.*)*NAICS2017"):
        taxonomy.known_codes("SIC1987")
