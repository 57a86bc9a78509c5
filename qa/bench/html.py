"""What a page of a thousand cases weighs, and how long a browser takes to show it.

The cases run once for real with `--html`; in the page they are then repeated.
"""

from __future__ import annotations

import re
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from qa.bench.measure import COMMAND, ROOT, Row, seconds
from tests.support.browser import browser

TARGET_MB, TARGET_S = 20, 2

CASE = re.compile(r'<script type="application/json" class="(case|about)"( id="about-\d+")?>.*?</script>\n', re.DOTALL)
INDEX = re.compile(r'"index":\d+')


def rows(cases: int, times: int) -> Iterator[Row]:
    """Measure a page of the thirteen cases, repeated, and how long a browser takes to draw its list."""
    with tempfile.TemporaryDirectory(prefix="run-scenarios-bench-") as place:
        page = Path(place, "page.html")
        seconds([*COMMAND, str(ROOT / "scenarios/incremental-backup"), "--html", str(page)])
        page.write_text(multiplied(page.read_text(), cases))
        size = page.stat().st_size / 1e6
        opened = median(seconds_to_open(page) for _ in range(times))
    yield Row(f"a page of {cases} cases", f"{size:.1f} MB", f"≤ {TARGET_MB} MB", size <= TARGET_MB)
    yield Row("until Chromium has drawn its list", f"{opened:.2f} s", f"≤ {TARGET_S} s", opened <= TARGET_S)


def multiplied(page: str, cases: int) -> str:
    """Return a page with as many cases, the ones it has again and again."""
    blocks = [found[0] for found in CASE.finditer(page)]
    pairs = list(zip(blocks[::2], blocks[1::2], strict=True))
    many = []
    for number in range(cases):
        case, about = pairs[number % len(pairs)]
        many.append(INDEX.sub(f'"index":{number}', case, count=1))
        many.append(re.sub(r'id="about-\d+"', f'id="about-{number}"', about))
    before, after = page.split(blocks[0], 1)[0], page.rsplit(blocks[-1], 1)[1]
    return before + "".join(many) + after


def seconds_to_open(page: Path) -> float:
    """Return how long a browser that runs already takes from being told the address to having drawn the list."""
    with browser() as driver:
        began = time.perf_counter()
        driver.get(page.as_uri())
        driver.execute_async_script(
            "const done = arguments[0]; requestAnimationFrame(() => requestAnimationFrame(() => done()))"
        )
        return time.perf_counter() - began
