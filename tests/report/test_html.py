"""The HTML report in a browser."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import pytest
from run_scenarios.core.events import (
    CaseFinished,
    CaseStarted,
    NothingToRun,
    Outcome,
    RunAborted,
    RunEvent,
    RunFinished,
    RunStarted,
    RunStopped,
    StepFinished,
    StepStarted,
    TestPoint,
    TrafficEntry,
)
from run_scenarios.report.html import MAX_STEPS, HtmlReport
from selenium.webdriver import Chrome, Keys
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.wait import WebDriverWait

from tests.report.events import FAILED, PASSED, SPAN, events_of_outcomes, fed, plan
from tests.support.browser import browser, complaints_of
from tests.support.command import FAILS, SKIPS, WRONG
from tests.support.scenarios import RunSteps

pytestmark = pytest.mark.slow

DEADLINE_S = 30
MIB = 1 << 20
COUNTS = """\
scenario: a count that is wrong
tags: [bitmap]
steps:
  - create-image: {file: d.qcow2, size: 1M}
  - launch: {drives: [{id: d, file: d.qcow2, format: qcow2}]}
  - for-each: {name: [one, two]}
    steps:
      - name: a bitmap
        qmp: {execute: block-dirty-bitmap-add, arguments: {node: d, name: "{{ name }}"}}
  - assert-bitmap: {node: d, name: one, count: 65536}
  - shutdown
"""
HOSTILE = '</script><img src=x onerror="window.hurt=1"><script>window.hurt=1</script>&lt;b&gt;'
Open = Callable[[str], "Page"]


class Page:
    """An open page."""

    def __init__(self, driver: Chrome) -> None:
        self.driver = driver

    def all(self, selector: str) -> list[WebElement]:
        """Return the visible elements."""
        return [each for each in self.driver.find_elements(By.CSS_SELECTOR, selector) if each.is_displayed()]

    def texts(self, selector: str) -> list[str]:
        """Return the texts of these elements, each on one line."""
        return [" ".join(each.text.split()) for each in self.all(selector)]

    def names(self) -> list[str]:
        """Return the names of the cases in the list."""
        return self.texts("#list .title b")

    def wait_for(self, selector: str) -> WebElement:
        """Wait for an element and return it."""
        return WebDriverWait(self.driver, DEADLINE_S).until(lambda _: self.all(selector), selector)[0]

    def press(self, *keys: str) -> None:
        """Press keys in the focused element."""
        self.driver.switch_to.active_element.send_keys(*keys)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Chrome]:
    with browser() as driver:
        yield driver


@pytest.fixture
def opened(chromium: Chrome, tmp_path: Path) -> Iterator[Open]:
    """Open a page, and check that the browser reports no problem."""
    page = Page(chromium)

    def open_page(text: str) -> Page:
        (tmp_path / "opened.html").write_text(text, "utf-8")
        chromium.get("about:blank")
        chromium.get((tmp_path / "opened.html").as_uri())
        return page

    yield open_page
    assert complaints_of(chromium) == []


def page_of(*events: RunEvent) -> str:
    """Return the page of these events."""
    return fed(lambda stream: HtmlReport(stream, "1.0"), *events)


def test_a_failure_of_a_real_run_can_be_found_and_opened(opened: Open, run_command: RunSteps, tmp_path: Path) -> None:
    for name, text in {"counts": COUNTS, "fails": FAILS, "skips": SKIPS, "wrong": WRONG}.items():
        (tmp_path / f"{name}.yaml").write_text(text)
    run_command("counts.yaml", "fails.yaml", "skips.yaml", "wrong.yaml", "--html", "run.html")
    page = opened((tmp_path / "run.html").read_text())
    assert page.driver.title == "3 of 4 cases failed – run-scenarios"
    assert page.texts(".verdict strong") == ["3 of 4 cases failed"]
    assert page.names() == ["wrong.yaml (invalid scenario file)", "counts", "fails", "skips"]
    assert len(page.all(".lane button")) == 3

    page.press("/")
    page.press("bitmap")
    assert page.names() == ["counts"]
    assert page.texts("#count") == ["1 of 4 cases"]
    assert len(page.all(".lane button.out")) == 2
    page.all("#list .row")[0].click()
    assert "step 6 (assert-bitmap)" in page.wait_for(".failure > p").text
    assert page.texts(".source") == ["10 | - assert-bitmap: {node: d, name: one, count: 65536} | ^^^^^"]
    assert page.texts(".caret") == ["^^^^^"]
    assert page.texts(".pair pre") == ["65536 (integer)", "0 (integer)"]
    assert page.texts(".pair mark") == ["65536", "0"]
    assert page.texts(".about .command code") == ["run-scenarios counts.yaml"]
    assert page.texts(".steps .what b") == ["create-image", "launch", "for-each", "qmp", "qmp", "assert-bitmap"]
    assert len(page.all(".steps .bad")) == 1

    page.all(".steps > li")[3].find_element(By.TAG_NAME, "summary").click()
    page.wait_for(".steps > li:nth-child(4) .traffic > li")
    assert '{"execute": "block-dirty-bitmap-add", "arguments": {"node": "d", "name": "one"}' in " ".join(
        page.texts(".steps > li:nth-child(4) .traffic")
    )
    assert page.texts(".steps > li:nth-child(4) .traffic .send") == ["→"]
    page.all(".steps > li")[0].find_element(By.TAG_NAME, "summary").click()
    page.wait_for(".steps > li:nth-child(1) .traffic > li")
    tools = page.texts(".steps > li:nth-child(1) .traffic > li")
    assert "qemu-img create" in tools[0]
    assert tools[-1].endswith("tool = status 0")


def test_cases_can_be_filtered_and_sorted(opened: Open) -> None:
    page = opened(page_of(*events_of_outcomes()))
    assert page.texts(".chips button") == ["8 failed", "1 known to fail", "1 skipped", "1 passed"]
    assert len(page.names()) == len(Outcome)
    for chip in page.all(".chips button")[:3]:
        chip.click()
    assert page.names() == ["dir/a[n=passed]"]
    assert [each.get_attribute("aria-pressed") for each in page.all(".chips button")] == ["false"] * 3 + ["true"]
    page.all(".chips button")[3].click()
    assert page.texts("#list") == ["No case is like that."]


def test_the_page_works_without_a_mouse(opened: Open) -> None:
    finished = [CaseFinished(0, PASSED), CaseFinished(1, FAILED), CaseFinished(2, FAILED)]
    page = opened(page_of(plan("a", "b", "c"), *finished, RunFinished(1)))
    page.press("n")
    page.wait_for("#case-1 .failure")
    assert page.driver.current_url.endswith("#case-1")
    page.press(Keys.ARROW_DOWN, Keys.ENTER)
    page.wait_for("#case-2 .failure")
    page.press(Keys.ENTER, Keys.ARROW_UP, Keys.ENTER)
    assert page.all(".about") == []
    page.press("/")
    page.press("b", Keys.ESCAPE)
    assert page.names() == ["b", "c", "a"]


def test_a_url_opens_a_case(opened: Open, chromium: Chrome) -> None:
    names = [f"case{number:04}" for number in range(1000)]
    page = opened(page_of(plan(*names), *(CaseFinished(index, PASSED) for index in range(1000)), RunFinished(1)))
    assert 0 < len(page.driver.find_elements(By.CSS_SELECTOR, ".row")) < 1000
    address = chromium.current_url
    chromium.get("about:blank")
    chromium.get(f"{address}#case-900")
    assert page.wait_for("#case-900 .about")


def test_a_bar_of_the_timeline_opens_its_case(opened: Open) -> None:
    started = [CaseStarted(0, 0, 0.0), CaseStarted(1, 1, 0.25)]
    page = opened(page_of(plan("a", "b"), *started, CaseFinished(0, PASSED), CaseFinished(1, FAILED), RunFinished(1)))
    bars = page.all(".lane button")
    whole = page.all(".lane")[0].rect["width"]
    left = page.all(".lane")[0].rect["x"]
    assert [round((each.rect["x"] - left) / whole, 2) for each in bars] == [0, 0.25]
    assert [round(each.rect["width"] / whole, 2) for each in bars] == [0.25, 0.5]
    assert bars[0].rect["y"] < bars[1].rect["y"]
    bars[1].click()
    assert page.wait_for("#case-1 .failure")


def test_rounds_of_a_flaky_case_are_compared(opened: Open) -> None:
    points = tuple(
        TestPoint(f"{name} (round {number} of 2)", "a.yaml", case=name) for number in (1, 2) for name in "ab"
    )
    results = [PASSED, PASSED, FAILED, PASSED]
    finished = [CaseFinished(index, each) for index, each in enumerate(results)]
    page = opened(page_of(RunStarted(points), *finished, RunFinished(1)))
    assert page.texts("#rounds tbody tr") == ["a 1 of 2"]
    assert [each.get_attribute("class") for each in page.all("#rounds .squares button")] == ["passed", "failed"]
    page.all("#rounds .squares button")[1].click()
    assert page.wait_for("#case-2 .failure")


def test_differences_between_builds_are_in_a_table(opened: Open) -> None:
    names = {"a[qemu=7.2]": "7.2", "a[qemu=10.0]": "10.0", "b[n=1,qemu=7.2]": "7.2", "b[n=1,qemu=10.0]": "10.0"}
    points = tuple(TestPoint(name, "a.yaml", case=name, build=build) for name, build in names.items())
    results = [PASSED, PASSED, PASSED, FAILED]
    finished = [CaseFinished(index, each) for index, each in enumerate(results)]
    page = opened(page_of(RunStarted(points), *finished, RunFinished(1)))
    assert page.texts("#builds thead th") == ["case", "QEMU 7.2", "QEMU 10.0"]
    assert page.texts("#builds tbody th") == ["b[n=1]"]
    assert [each.get_attribute("class") for each in page.all("#builds td button")] == ["passed", "failed"]


@pytest.mark.parametrize("text", [HOSTILE, "\u2028\x00\udcff", "]]>-->", "__proto__", '"\\'])
def test_no_text_is_interpreted_as_markup(opened: Open, text: str) -> None:
    page = opened(page_of(*events_of_outcomes(text)))
    for row in page.all(".row"):
        row.click()
    page.wait_for("#case-10 .steps summary").click()
    page.wait_for("#case-10 .traffic")
    assert page.driver.execute_script("return window.hurt") is None
    assert page.driver.find_elements(By.TAG_NAME, "img") == []
    if text == HOSTILE:
        assert text in page.all("#case-10 .traffic")[0].text


def test_the_page_loads_nothing_else() -> None:
    page = page_of(plan("a"), CaseFinished(0, PASSED), RunFinished(1))
    assert "default-src 'none'" in page
    assert not re.findall(r"(?:src|href|url|import)\s*[=(]\s*[\"']?(?:https?:)?//", page)


def test_the_security_policy_allows_only_its_own_script(chromium: Chrome, tmp_path: Path) -> None:
    text = page_of(plan("a"), CaseFinished(0, PASSED), RunFinished(1))
    (tmp_path / "bad.html").write_text(text.replace("<header", "<script>window.hurt=1</script><header"))
    chromium.get((tmp_path / "bad.html").as_uri())
    assert chromium.execute_script("return [window.hurt, document.title]") == [None, "the case passed – run-scenarios"]
    assert any("Content Security Policy" in each for each in complaints_of(chromium))


@pytest.mark.parametrize(
    ("events", "title", "said"),
    [
        ((plan("a", "b"), CaseFinished(0, PASSED), RunStopped("interrupted")), "not complete", "interrupted"),
        ((RunAborted("no QEMU"),), "nothing ran", "no QEMU"),
        ((NothingToRun("no files", allowed=True),), "nothing ran", "no files"),
    ],
)
def test_an_incomplete_run_says_why(opened: Open, events: tuple[RunEvent, ...], title: str, said: str) -> None:
    page = opened(page_of(*events))
    assert page.texts(".verdict strong") == [title]
    assert page.texts(".stopped") == [said]


def test_cases_not_run_and_unfinished_steps_are_shown(opened: Open) -> None:
    started = (CaseStarted(0), StepStarted(0, 1, "launch", SPAN))
    page = opened(page_of(plan("a", "b"), *started, CaseFinished(0, FAILED), RunStopped("interrupted")))
    assert page.texts(".chips button") == ["1 failed", "1 not run"]
    page.press("n")
    page.wait_for(".steps")
    assert page.texts(".steps .time") == ["not ended"]


def test_a_thousand_cases_with_traffic_fit(opened: Open) -> None:
    """Traffic that compresses badly is omitted, but not that of a failure."""
    random = Random(7)
    events: list[RunEvent] = [plan(*(f"case{number}" for number in range(1000)))]
    for index in range(1000):
        events += [CaseStarted(index, 0, index)]
        for number in range(1, 11):
            messages = (TrafficEntry(0.1, "vm", "recv", base64.b64encode(random.randbytes(3000)).decode()),)
            events += [
                StepStarted(index, number, "qmp", SPAN),
                StepFinished(index, number, "qmp", SPAN, True, 0.1, 0.1, messages),
            ]
        events += [CaseFinished(index, FAILED if index == 999 else PASSED)]
    text = page_of(*events, RunFinished(1000))
    assert len(text) < 20 * MIB
    page = opened(text)
    assert page.texts("#count") == ["1,000 cases"]
    page.press("n")
    page.wait_for("#case-999 .traffic")


def test_the_steps_of_a_case_have_a_timeline(opened: Open) -> None:
    steps = (StepStarted(0, 1, "qmp", SPAN), StepFinished(0, 1, "qmp", SPAN, True, 0.1, 0.2))
    skipped = (StepStarted(0, 2, "qmp", SPAN), StepFinished(0, 2, "qmp", SPAN, True, 0.3, 0.0, skipped=True))
    page = opened(page_of(plan("a"), CaseStarted(0), *steps, *skipped, CaseFinished(0, FAILED), RunFinished(1)))
    page.press("n")
    place = page.wait_for(".when i").get_attribute("style")
    assert place == "left: 20%; width: 40%;"
    assert page.texts(".steps .time") == ["200 ms", "skipped"]


def test_the_number_of_steps_of_a_case_is_limited(opened: Open) -> None:
    steps = [StepStarted(0, number, "qmp", SPAN) for number in range(1, MAX_STEPS + 100)]
    page = opened(page_of(plan("a"), CaseStarted(0), *steps, CaseFinished(0, FAILED), RunFinished(1)))
    page.press("n")
    page.wait_for(".steps")
    assert page.texts(".about > p") == ["… and 99 more steps"]


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (1280, True), (400, False)])
def test_the_page_adapts_to_width_and_colour_scheme(tmp_path: Path, width: int, dark: bool) -> None:
    (tmp_path / "page.html").write_text(page_of(*events_of_outcomes()), "utf-8")
    with browser(width, 900, dark=dark) as driver:
        driver.get((tmp_path / "page.html").as_uri())
        page = Page(driver)
        page.press("n")
        page.wait_for(".failure")
        wide, ground = driver.execute_script(
            "return [document.documentElement.scrollWidth, getComputedStyle(document.body).backgroundColor]"
        )
        assert wide <= width
        assert (max(map(int, re.findall(r"\d+", ground))) < 60) == dark
        assert len(driver.get_screenshot_as_png()) > 10_000
