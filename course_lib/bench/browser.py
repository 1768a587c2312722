"""JupyterLab in a real browser, driven by keys: what the browser tests and the drag benchmark share."""

from __future__ import annotations

import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from course_lib.doctor import find_browser
from course_lib.errors import CourseError
from course_lib.lab import HOST, server_command, server_environment

FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip

READY = """async () => {
  const app = window.jupyterapp;
  if (!app) return false;
  await app.restored;
  const panel = app.shell.currentWidget;
  if (!panel?.context) return false;
  await panel.context.ready; await panel.sessionContext.ready;
  const kernel = panel.sessionContext.session?.kernel;
  return kernel?.status === "idle" && kernel?.connectionStatus === "connected";
}"""
DONE = """() => {
  const panel = window.jupyterapp.shell.currentWidget;
  const cells = Array.from(panel.content.model.cells).filter((cell) => cell.type === "code");
  const source = (cell) => cell.sharedModel.getSource().trim();
  const over = cells.every((cell) => !source(cell) || cell.executionCount !== null);
  const failed = cells.some((cell) => cell.outputs.toJSON().some((o) => o.output_type === "error"));
  return failed || (over && panel.sessionContext.session?.kernel?.status === "idle");
}"""
ERRORS = """() => Array.from(window.jupyterapp.shell.currentWidget.content.model.cells)
  .filter((cell) => cell.type === "code").flatMap((cell) => cell.outputs.toJSON())
  .filter((o) => o.output_type === "error" || (o.output_type === "stream" && o.name === "stderr"))
  .map((o) => (o.traceback || [o.text]).join("\\n"))"""
# From a key press to the frame that shows the new sheet, in milliseconds.
WATCH = """(name) => {
  window.moves = [];
  const image = document.querySelector("img." + name);
  window.addEventListener("keydown", () => { window.pressed ??= performance.now(); }, true);
  image.addEventListener("load", () => requestAnimationFrame(() => {
    if (window.pressed === undefined) return;
    window.moves.push(performance.now() - window.pressed);
    window.pressed = undefined;
  }));
}"""


class Browser:
    """A JupyterLab server on ``root`` and a browser page on it; a context manager.

    ``blocked`` refuses every request that does not go to this machine, and counts them in ``refused``.
    """

    def __init__(self, root: Path, *, width: int = 1280, height: int = 900, scale: float = 1.0):
        self.root, self.size, self.scale = root, {"width": width, "height": height}, scale
        self.refused: list[str] = []
        self.problems: list[str] = []  # what the page's console calls errors

    def __enter__(self) -> Browser:
        try:
            from playwright.sync_api import sync_playwright
        except ImportError as error:
            raise CourseError("Browser checks need playwright: python -m course_lib test installs it.") from error
        if (executable := find_browser()) is None:
            raise CourseError("No Chromium or Chrome was found: install one, and try again.")
        with ExitStack() as stack:
            self._start_server(stack)
            playwright = stack.enter_context(sync_playwright())
            browser = playwright.chromium.launch(executable_path=executable, args=FLAGS)
            stack.callback(browser.close)
            self.page = browser.new_page(viewport=self.size, device_scale_factor=self.scale)
            self.page.route("**/*", self._local_only)
            self.page.on("console", lambda m: self.problems.append(m.text) if m.type == "error" else None)
            self._wait_for_server()
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *exception: object) -> None:
        self._stack.close()

    def _start_server(self, stack: ExitStack) -> None:
        with socket.create_server((HOST, 0)) as free:  # any: 8888 and so on are for a lab that starts meanwhile
            self.port = free.getsockname()[1]
        self.log = self.root / ".server.log"
        extra = ["--LabApp.expose_app_in_browser=True", "--IdentityProvider.token="]
        command = server_command(self.port, self.root, extra=extra)
        own = {f"JUPYTERLAB_{name}_DIR": str(self.root / f".{name}") for name in ("SETTINGS", "WORKSPACES")}
        with self.log.open("w") as log:  # with settings of its own: no theme or layout of yours
            self.server = subprocess.Popen(command, env=server_environment() | own, stdout=log, stderr=log)
        stack.callback(self.server.wait, 20)
        stack.callback(self.server.terminate)

    def open(self, notebook: str) -> None:
        """Open a notebook in a workspace of its own, and wait until its kernel is connected and idle."""
        workspace = f"w{time.monotonic_ns()}"
        self.page.goto(f"http://127.0.0.1:{self.port}/lab/workspaces/{workspace}/tree/{notebook}")
        self.until(READY, 90)

    def run_all(self, timeout: float = 300) -> None:
        """Run all cells and wait until they have run; raise `CourseError` with what a cell reports as error."""
        self.page.evaluate("() => { window.jupyterapp.commands.execute('notebook:run-all-cells'); }")
        self.until(DONE, timeout)
        if errors := self.page.evaluate(ERRORS):
            raise CourseError("The notebook reports: " + "\n".join(errors))

    def until(self, condition: str | Callable[[], bool], timeout: float) -> None:
        """Wait until a JavaScript or Python condition holds."""
        end = time.monotonic() + timeout
        while not (self._holds(condition) if isinstance(condition, str) else condition()):
            if time.monotonic() > end:
                raise TimeoutError(f"not true after {timeout} s: {condition}")
            self.page.wait_for_timeout(20)

    def _holds(self, condition: str) -> bool:
        from playwright.sync_api import Error

        try:
            return bool(self.page.evaluate(condition))
        except Error as error:
            if "garbage collected" not in str(error):
                raise
            return False  # a busy page lost the answer: it is asked again

    def text(self, selector: str) -> str:
        """Return the visible text of the first element that matches."""
        return self.page.locator(selector).first.inner_text()

    def source(self, picture: str) -> str:
        """Return what the image of this class shows, as the address of its bytes."""
        return self.page.locator(f"img.{picture}").first.get_attribute("src") or ""

    def _local_only(self, route) -> None:
        if route.request.url.startswith((f"http://127.0.0.1:{self.port}/", "data:", "blob:")):
            route.continue_()
        else:
            self.refused.append(route.request.url)
            route.abort()

    def _wait_for_server(self) -> None:
        for _ in range(600):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{self.port}/api", timeout=5).close()
                return
            except (urllib.error.URLError, OSError):
                if self.server.poll() is not None:
                    break
                time.sleep(0.1)
        raise CourseError(f"JupyterLab did not start:\n{self.log.read_text()[-2000:]}")


class Watch:
    """Times moves of a slider, from the key press to the frame that shows the new picture."""

    def __init__(self, browser: Browser, slider: str, picture: str):
        self.browser, self.slider = browser, browser.page.locator(f".{slider} .noUi-handle").first
        browser.page.evaluate(WATCH, picture)

    def move(self, key: str) -> float:
        """Press ``key`` on the slider, wait for the picture, and return the milliseconds it took."""
        page = self.browser.page
        before = page.evaluate("() => window.moves.length")
        self.slider.press(key)
        self.browser.until(f"() => window.moves.length > {before}", 30)
        return page.evaluate("() => window.moves.at(-1)")
