"""Every code on PySpark gets the answer that `digital_class` gives."""

import pytest

from jiqun import taxonomy
from jiqun.core.errors import InputError

ANSWER = ["digital_code", "digital_division", "core", "partial", "decided", "evidence"]
STRANGERS = [None, "", "65O3", "A6513", "6513\n", "6201\n", "62.01Z", "62.01.99.1", "ISIC4:6201"]


def one(code, scheme, definition):
    try:
        each = taxonomy.digital_class(code, scheme=scheme, definition=definition)
    except InputError:
        return (None,) * 6
    return (each.digital_code, each.division, each.core, each.partial, each.decided, each.evidence)


@pytest.mark.spark
@pytest.mark.parametrize("definition", ["narrow", "broad"])
@pytest.mark.parametrize("scheme", taxonomy.SCHEMES)
def test_every_code_in_spark(spark, scheme, definition):
    codes = [*sorted(taxonomy.known_codes(scheme)), *STRANGERS]
    firms = spark.createDataFrame([(i, code) for i, code in enumerate(codes)], "row int, industry_code string")
    found = taxonomy.classify_codes(firms, scheme=scheme, definition=definition)
    assert type(found) is type(firms)
    assert found.columns == ["row", "industry_code", *ANSWER]
    rows = sorted(tuple(row) for row in found.collect())
    assert rows == [(i, code, *one(code, scheme, definition)) for i, code in enumerate(codes)]
