"""Evidence 证据: what spoke for and against a pair, as bits of one number and in words."""

from __future__ import annotations

from jiqun.core.document import Text
from jiqun.roster import _match_kernels as kernels

TEXT_AGREES, TEXT_DIFFERS, PERSON, KNOWN_ID = 1 << 20, 1 << 21, 1 << 22, 1 << 23

FOR: dict[int, Text] = {
    PERSON: Text("有人确认过", "someone decided so"),
    KNOWN_ID: Text("登记编号已知", "its identifier is known"),
    kernels.USCC_SAME: Text("信用代码一致", "same credit code"),
    kernels.NORMAL_SAME: Text("规范名称一致", "same normalised name"),
    kernels.CORE_SAME: Text("名称核心一致", "same core of the name"),
    kernels.ONE_EDIT: Text("名称核心只差一字", "cores one character apart"),
    kernels.BEGINS: Text("一方名称以另一方开头", "one core begins with the other"),
    kernels.GRAMS: Text("用字相近", "many characters in common"),
    kernels.PLACE_SAME: Text("同一城市", "same city"),
    kernels.PROVINCE_SAME: Text("同一省份", "same province"),
    TEXT_AGREES: Text("业务相近", "similar business"),
}
AGAINST: dict[int, Text] = {
    kernels.USCC_DIFFERS: Text("信用代码不同", "different credit codes"),
    kernels.PLACE_DIFFERS: Text("地点不同", "different places"),
    kernels.GROUP_DIFFERS: Text("一方是集团", "only one is a group"),
    kernels.BRANCH_DIFFERS: Text("一方是分支机构", "only one is a branch"),
    kernels.WEAK_CORE: Text("名称太短，不足以区分", "too short a name to tell"),
    kernels.OTHER_NAME: Text("靠曾用名或简称", "by a former or short name"),
    kernels.UNFORMED: Text("名单未写组织形式", "the roster gives no legal form"),
    TEXT_DIFFERS: Text("业务不同", "different business"),
}
"""Former and short names speak neither for nor against, but less surely."""


def reasons(evidence: int) -> tuple[tuple[Text, ...], tuple[Text, ...]]:
    """What speaks for a pair, and what against it 理由.

    Examples
    --------
    >>> [text.en for text in reasons(kernels.CORE_SAME | kernels.PLACE_DIFFERS)[1]]
    ['different places']
    """
    return tuple(tuple(words for bit, words in side.items() if evidence & bit) for side in (FOR, AGAINST))  # type: ignore[return-value]


def told(evidence: int) -> Text:
    """The reasons in one line.

    Examples
    --------
    >>> told(kernels.NORMAL_SAME | kernels.PLACE_DIFFERS).en
    'same normalised name; but: different places'
    """
    good, bad = reasons(evidence)
    zh = "，".join(text.zh for text in good) + ("；但：" + "，".join(text.zh for text in bad) if bad else "")
    en = ", ".join(text.en for text in good) + ("; but: " + ", ".join(text.en for text in bad) if bad else "")
    return Text(zh, en)
