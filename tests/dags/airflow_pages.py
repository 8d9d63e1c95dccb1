"""Airflow's own pages in a real Chromium, as an operator uses them: log in, start a run or a backfill, see it go."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from playwright.sync_api import Locator, Page, expect, sync_playwright

from pipeline.localairflow import AirflowAddress

CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"
ARGUMENTS = ("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking")
PATIENCE = 60_000
"""Milliseconds: the API server has one worker and shares its machine."""


class AirflowPages:
    """One logged-in browser window."""

    def __init__(self, page: Page, address: AirflowAddress) -> None:
        self.page = page
        self._url = address.url
        page.goto(f"{address.url}/dags")
        page.get_by_label("Username").fill(address.username)
        page.get_by_label("Password").fill(address.password)
        page.get_by_role("button", name=re.compile("sign in|log in", re.IGNORECASE)).click()
        expect(page.get_by_test_id("nav-dags-link")).to_be_visible()

    def screenshot(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=path)

    def open_form(self, dag_id: str) -> Locator:
        """The form behind the button "Trigger" of a DAG's page."""
        self.page.goto(f"{self._url}/dags/{dag_id}")
        self.page.get_by_role("button", name="Trigger").click()
        form = self.page.get_by_role("dialog")
        expect(form.get_by_text("Run Parameters")).to_be_visible()
        return form

    def fill_backfill(
        self, dag_id: str, first: datetime, last: datetime, *, sources: Sequence[str] = (), mode: str | None = None,
        behavior: str = "Missing Runs",
    ) -> Locator:  # fmt: skip
        """The filled form of a backfill over the intervals from ``first`` to ``last``, ready to be sent."""
        form = self.open_form(dag_id)
        form.get_by_text("Backfill", exact=True).first.click()
        expect(form.get_by_text("Date Range")).to_be_visible()
        self._pick(form, "From", first)
        self._pick(form, "To", last)
        form.get_by_text(behavior, exact=True).click()
        if sources or mode:  # without this Airflow's form leaves all parameters out, for new runs too
            form.get_by_text("Override parameters on existing runs").click()
        self._parameters(form, sources, mode)
        return form

    def fill_run(
        self, dag_id: str, since: datetime, until: datetime, *, sources: Sequence[str] = (), mode: str | None = None,
        preview: bool = False,
    ) -> Locator:  # fmt: skip
        """The filled form of a single run over a span of time, ready to be sent."""
        form = self.open_form(dag_id)
        self._pick(form, "Since", since)
        self._pick(form, "Until", until)
        self._parameters(form, sources, mode)
        if preview:
            form.locator("label[data-scope=switch]").filter(has=self.page.locator("[name=element_preview]")).click()
        return form

    def send(self, form: Locator) -> None:
        """Press the form's own button, and wait until Airflow has taken it."""
        button = form.get_by_role("button", name=re.compile("^(Trigger|Run Backfill)$"))
        expect(button).to_be_enabled()
        button.click()
        expect(form).to_be_hidden()

    def _pick(self, form: Locator, label: str, moment: datetime) -> None:
        field = form.get_by_role("group").filter(has=self.page.get_by_text(label, exact=True))
        field.get_by_test_id("datetime-input").click()
        picker = self.page.get_by_role("dialog").filter(has=self.page.get_by_placeholder("YYYY/MM/DD")).last
        for placeholder, text in (("YYYY/MM/DD", f"{moment:%Y/%m/%d}"), ("HH:mm", f"{moment:%H:%M}")):
            picker.get_by_placeholder(placeholder).fill(text)
            self.page.keyboard.press("Enter")
        expect(field).to_contain_text(f"{moment:%b %d, %Y %H:%M}")

    def _parameters(self, form: Locator, sources: Sequence[str], mode: str | None) -> None:
        for name, values in (("sources", sources), ("mode", [mode] if mode else [])):
            for value in values:
                form.locator(f"#element_{name}").get_by_role("combobox").fill(value)
                self.page.get_by_role("option", name=value, exact=True).click()


@contextmanager
def airflow_pages(address: AirflowAddress) -> Iterator[AirflowPages]:
    """Chromium, logged in."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        try:
            page = browser.new_page(viewport={"width": 1280, "height": 1100}, color_scheme="light")
            page.set_default_timeout(PATIENCE)
            expect.set_options(timeout=PATIENCE)
            yield AirflowPages(page, address)
        finally:
            browser.close()
