// Gives a panel what ipywidgets leaves out: names for screen readers, alt texts, keys that stay with
// their control instead of going to the notebook, and word of when a slider is held and let go.
function render({ model, el }) {
  el.style.display = "none";
  let root = null;

  const label = () => {
    for (const [name, text] of Object.entries(model.get("labels"))) {
      for (const node of root.querySelectorAll("." + name)) {
        if (node.tagName === "IMG") node.alt = text;
        for (const part of node.querySelectorAll(".noUi-handle, select, input"))
          if (part.getAttribute("aria-label") !== text) part.setAttribute("aria-label", text);
      }
    }
    for (const node of root.querySelectorAll("input, select, button, .noUi-handle"))
      node.setAttribute("data-lm-suppress-shortcuts", "true");
  };

  const hold = (held) => {
    if (model.get("held") === held) return;
    model.set("held", held);
    model.save_changes();
  };
  const press = (event) => event.target.closest(".noUi-target") && hold(true);
  const release = () => hold(false);

  const observer = new MutationObserver(() => label());
  const start = () => {
    root = el.closest(".course-panel");
    if (!root) return setTimeout(start, 50); // not on the page yet
    label();
    observer.observe(root, { childList: true, subtree: true });
    root.addEventListener("pointerdown", press, true);
    window.addEventListener("pointerup", release);
    window.addEventListener("pointercancel", release);
    window.addEventListener("blur", release);
    model.set("held", false); // a page that was left while a slider was held never said so
    model.set("pixel_ratio", window.devicePixelRatio || 1);
    model.save_changes();
  };
  start();
  model.on("change:labels", () => root && label());

  return () => {
    observer.disconnect();
    window.removeEventListener("pointerup", release);
    window.removeEventListener("pointercancel", release);
    window.removeEventListener("blur", release);
  };
}
export default { render };
