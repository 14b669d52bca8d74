"""The API opened in a browser, which is a client with rules of its own."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By

from tests.e2e.conftest import is_prediction, poll

pytestmark = pytest.mark.e2e

SUBMIT = """
const [matchId, done] = arguments;
fetch("/predict/async/", {
  method: "POST",
  headers: {"content-type": "application/json"},
  body: JSON.stringify({match_id: matchId}),
}).then(answer => answer.json()).then(done, error => done({error: String(error)}));
"""


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[webdriver.Chrome]:
    """A headless Chromium with a profile of its own."""
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    assert chromium is not None
    assert driver is not None
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"):
        options.add_argument(argument)
    options.add_argument(f"--user-data-dir={tmp_path}")
    chrome = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    chrome.set_page_load_timeout(60)
    chrome.set_script_timeout(40)
    try:
        yield chrome
    finally:
        chrome.quit()


def test_an_answer_is_shown_and_not_downloaded(
    browser: webdriver.Chrome, gateway_url: str, match_id: int
) -> None:
    """A prediction opened by its address is a page with the JSON as its text."""
    browser.get(f"{gateway_url}/predict/{match_id}")
    shown = json.loads(browser.find_element(By.TAG_NAME, "pre").text)
    assert shown["match_id"] == match_id
    assert is_prediction(shown["prediction"])


def test_a_script_of_the_same_origin_submits_a_task(
    browser: webdriver.Chrome, gateway_url: str, api: httpx.Client, match_id: int
) -> None:
    """`fetch` in a page of the gateway gets the 202 and its task succeeds."""
    browser.get(f"{gateway_url}/health/live")
    accepted = browser.execute_async_script(SUBMIT, match_id)
    assert accepted["status"] == "submitted", accepted
    assert poll(api, accepted["task_id"])["status"] == "SUCCESS"
