"""What a page of a thousand cases weighs, and how long a browser takes to show it: `python -m bench.html`.

The cases are those of `--scenarios`, run once for real with `--html`; in the page they are then repeated.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.browser import browser

CASE = re.compile(r'<script type="application/json" class="(case|about)"( id="about-\d+")?>.*?</script>\n', re.DOTALL)
INDEX = re.compile(r'"index":\d+')


def main() -> None:
    """Make the page, open it five times, print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=1000)
    parser.add_argument("--scenarios", default="scenarios/incremental-backup")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        page = Path(place, "page.html")
        subprocess.run(
            [sys.executable, "-m", "runner", options.scenarios, "--html", str(page)],
            stdout=subprocess.DEVNULL,
            check=True,
        )
        page.write_text(multiplied(page.read_text(), options.cases))
        print(f"{options.cases} cases: {page.stat().st_size / 1e6:.1f} MB")
        opened = [seconds_to_open(page) for _ in range(5)]
        print("seconds until the first row is drawn:", ", ".join(f"{each:.2f}" for each in opened))


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


if __name__ == "__main__":
    main()
