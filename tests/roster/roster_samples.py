"""A small register, its roster, and what tests do with them."""

from __future__ import annotations

import polars as pl

from jiqun.core.actor import LOCAL
from jiqun.intake import desk as intake
from jiqun.roster.derive import derive

REGISTER = pl.DataFrame(
    {
        "name": [
            "深圳雷柏科技股份有限公司",
            "浙江南都电源动力股份有限公司",
            "宏达科技有限公司",
            "宏达科技有限公司",
            "华为技术有限公司",
            '"><script>alert(1)</script>有限公司',
        ],
        "uscc": [None, None, None, None, "914403001922038216", None],
        "city": ["深圳", "杭州", "杭州", "苏州", "深圳", "成都"],
        "employees": [100, 200, None, 12, 195_000, 3],
        "main_business": ["无线键盘鼠标等计算机外设的研发与销售", "储能电池", "软件开发", "机械加工", "通信设备", "="],
    }
)
ROSTER = pl.DataFrame(
    {
        "name": [
            "雷柏科技股份有限公司",
            "南都电源",
            "宏达科技有限公司",
            "華為技術有限公司",
            "不在册的公司",
            "@SUM(1)<b>公司",
        ],
        "city": ["深圳", None, None, "深圳", "北京", None],
        "employees": [120, None, 11, 190_000, 3, 4],
        "name_en": ["Rapoo", None, None, "Huawei", None, None],
        "source_id": ["M1", "M2", "M3", "M4", "M5", "M6"],
    }
)


def load(workspace, frame, as_of):
    """Load a register as `jiqun load` does."""
    intake.load(LOCAL, workspace, frame, "organisations", as_of=as_of)
    derive(workspace)


def organisations(workspace):
    """The organisations as everybody sees them, by name."""
    return workspace.scan("organisations").collect()
