"""The page in a real browser: with scripts, without, and as letters really fall."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest
from report_samples import document

from jiqun import report

PROBE = """<script>
const shown = (tag) => [...document.querySelectorAll(`main [lang="${tag}"]`)].filter((e) => e.getClientRects().length).length;
const count = () => ({zh: shown("zh-Hans"), en: shown("en")});
const overlaps = () => {
  let found = 0;
  for (const group of document.querySelectorAll("svg.map .names > g")) {
    const boxes = [...group.querySelectorAll("text")].map((e) => e.getBoundingClientRect()).filter((b) => b.width);
    boxes.forEach((a, i) => boxes.slice(i + 1).forEach((b) => {
      if (a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 1 && b.top < a.bottom - 1) found += 1;
    }));
  }
  return found;
};
const out = {zh: {...count(), overlaps: overlaps()}};
document.getElementById("jq-en").click();
out.en = {...count(), overlaps: overlaps()};
out.sideways = document.documentElement.scrollWidth - document.documentElement.clientWidth;
document.body.dataset.probe = JSON.stringify(out);
</script>"""


def browse(chromium: Path, page: Path, *flags: str) -> str:
    """Open the page; what the browser prints."""
    command = [
        chromium, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
        "--disable-background-networking", "--disable-component-update", "--disable-sync", "--hide-scrollbars",
        f"--user-data-dir={page.parent / 'profile'}", *flags, page.as_uri(),
    ]  # fmt: skip
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout


@pytest.fixture
def page(tmp_path) -> Path:
    target = tmp_path / "report.html"
    target.write_text(report.html(document()), encoding="utf-8")
    return target


@pytest.mark.parametrize(("accepted", "language"), [("en-GB", "en"), ("zh-CN", "zh-Hans")])
def test_the_readers_browser_chooses_the_language(chromium, page, accepted, language):
    told = browse(chromium, page, f"--accept-lang={accepted}", "--dump-dom")
    assert f'<html lang="{language}"' in told


def test_without_scripts_the_page_looks_the_same(chromium, page):
    def picture(accepted: str, *, scripts: bool) -> bytes:
        preferences = page.parent / "profile" / "Default" / "Preferences"
        preferences.parent.mkdir(parents=True, exist_ok=True)
        setting = {"javascript": 1 if scripts else 2}
        preferences.write_text(json.dumps({"profile": {"default_content_setting_values": setting}}))
        target = page.with_suffix(".png")
        browse(chromium, page, "--window-size=900,1400", f"--screenshot={target}", f"--accept-lang={accepted}")
        return target.read_bytes()

    without = picture("en-GB", scripts=False)
    assert without == picture("zh-CN", scripts=True)
    assert without != picture("en-GB", scripts=True)


@pytest.mark.parametrize("width", [1280, 500])
def test_style_alone_switches_the_language_and_no_label_covers_another(chromium, cjk_font, page, width):
    """The page's own script and policy are taken out; a probe presses the button and measures."""
    bare = re.sub(r"<script>.*?</script>", lambda _: PROBE, page.read_text(encoding="utf-8"), flags=re.DOTALL)
    bare = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", bare)
    page.write_text(bare, encoding="utf-8")
    told = browse(chromium, page, f"--window-size={width},900", "--dump-dom")
    found = re.search(r'data-probe="([^"]*)"', told)
    assert found, "the probe did not run"
    seen = json.loads(found.group(1).replace("&quot;", '"'))
    assert seen["zh"]["en"] == 0
    assert seen["zh"]["zh"] > 100
    assert seen["en"]["zh"] == 0
    assert seen["en"]["en"] > 100
    assert seen["zh"]["overlaps"] == seen["en"]["overlaps"] == 0
    assert seen["sideways"] <= 0
