"""A workbook as a clerk hands it in: title rows, several sheets, hostile cells, wrong codes, gaps, a repeat."""

from __future__ import annotations

import io

import xlsxwriter

HOSTILE_HEADERS = (
    '<script>alert("jq")</script>',
    "=cmd|' /C calc'!A0",
    "+1+1",
    "@SUM(1)",
    '"><img src=x onerror=alert(1)>',
    "javascript:alert(1)",
    "</textarea><svg onload=alert(1)>",
    "${7*7}",
)
"""What no page may show as markup and no spreadsheet may run."""


def workbook(rows: int = 120) -> bytes:
    """The workbook."""
    file = io.BytesIO()
    book = xlsxwriter.Workbook(file, {"strings_to_formulas": False, "strings_to_urls": False})
    book.add_worksheet("说明").write(0, 0, "本表由某局提供")
    sheet = book.add_worksheet("企业名单")
    sheet.write(0, 0, "2024 年企业名录")
    sheet.write_row(1, 0, ["内部编码", "企业名称", "统一社会信用代码", "行业代码", "城市", "备注", HOSTILE_HEADERS[0]])
    for k in range(rows):
        name = "" if k == 5 else HOSTILE_HEADERS[0] if k == 3 else f"数字企业{k}有限公司"
        code = "65O3" if k % 30 == 0 else "6513"
        sheet.write_row(k + 2, 0, [f"N{k}", name, "", code, "深圳", "", f"{HOSTILE_HEADERS[4]}{k}"])
    sheet.write_row(rows + 2, 0, [f"N{rows}", "数字企业7有限公司", "", "6513", "深圳"])
    book.add_worksheet("联系人").write_row(0, 0, ["姓名", "电话"])
    book.close()
    return file.getvalue()
