"""What the browser tests of all lessons do: open a panel, press keys on its controls, take pictures."""

from pathlib import Path

from course_lib.bench.browser import READY
from course_lib.bench.panels import panel_notebook

SHOTS = Path(__file__).parent / "screenshots"
FINISHED = "() => document.querySelector('.course-status')?.innerText.startsWith('Finished')"


def open_panel(browser, source, picture, file="panel.ipynb"):
    """Open a notebook of one cell that shows a panel, and wait for its picture."""
    panel_notebook(browser.root, source, file)
    browser.open(file)
    browser.run_all()
    browser.page.wait_for_selector(f"img.course-{picture}")
    browser.page.wait_for_timeout(2000)  # the panel gets ready for its first run
    return browser


def shoot(browser, name):
    SHOTS.mkdir(exist_ok=True)
    browser.page.screenshot(path=SHOTS / f"{name}.png")


def show_cell(browser, holds):
    """Scroll to the first cell that holds a text: JupyterLab draws only what is in view."""
    browser.page.evaluate(
        """(holds) => { const panel = window.jupyterapp.shell.currentWidget.content;
        const cells = Array.from(panel.model.cells);
        const i = cells.findIndex((cell) => cell.sharedModel.getSource().includes(holds));
        panel.activeCellIndex = i; panel.scrollToItem(i, "start"); }""",
        holds,
    )


def alt(browser, picture):
    return browser.page.locator(f"img.course-{picture}").first.get_attribute("alt")


def press_slider(browser, name, key="ArrowRight", picture=None):
    """Press a key on a slider, wait until ``picture`` changes, and see that focus and name are right."""
    handle = browser.page.locator(f".course-{name} .noUi-handle")
    before = browser.source(f"course-{picture}") if picture else ""
    handle.press(key)
    if picture:
        browser.until(lambda: browser.source(f"course-{picture}") != before, 30)
        browser.until(READY, 30)  # controls that follow this one have their values: the next key finds them there
    assert handle.evaluate("e => e === document.activeElement"), name
    assert handle.get_attribute("aria-label"), name


def press_field(browser, name, key):
    """Press a key on a selector, switch or field, and see that it changes and keeps the focus."""
    control = browser.page.locator(f".course-{name}").locator("select, input").first
    value = "e => e.type === 'checkbox' ? e.checked : e.value"
    before = control.evaluate(value)
    control.press(key)
    browser.page.wait_for_timeout(200)
    assert control.evaluate(value) != before, name
    assert control.evaluate("e => e === document.activeElement"), name
    assert control.get_attribute("aria-label"), name
