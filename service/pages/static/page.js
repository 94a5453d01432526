// Small comforts on every page: the keyboard, the reader's own time on hover, a button to copy what is long.
// Without this script nothing is missing but these.
"use strict";
(() => {
  const OFF = "claxon.keyboard"; // "off" in this browser's storage: no shortcut of one letter

  // ── time and copying ─────────────────────────────────────────────────────

  function dress() {
    for (const t of document.querySelectorAll("main time[datetime]")) {
      const at = new Date(t.dateTime);
      if (!Number.isNaN(at.getTime())) t.title = at.toLocaleString() + " on this device";
    }
    if (!navigator.clipboard) return;
    for (const code of document.querySelectorAll("main [data-copy]")) {
      const button = document.createElement("button");
      button.type = "button";
      button.className = "copier";
      button.textContent = "Copy";
      button.setAttribute("aria-label", "Copy " + code.textContent.slice(0, 60));
      button.addEventListener("click", async () => {
        await navigator.clipboard.writeText(code.textContent);
        button.textContent = "Copied";
      });
      code.after(button);
    }
  }

  // ── the keyboard ─────────────────────────────────────────────────────────

  const links = () => [...document.querySelectorAll(".pages a[data-letter]")];
  let afterG = 0;

  function stored() {
    try {
      return localStorage.getItem(OFF);
    } catch {
      return null;
    }
  }

  function typing(e) {
    // A field that was hidden a moment ago has the focus still.
    const shown = e instanceof HTMLElement && e.getClientRects().length;
    return shown && (e.isContentEditable || e.matches("input, select, textarea"));
  }

  // From one alert, or row, to the next.
  function step(by) {
    const stops = [...document.querySelectorAll("main h3 > a, main .lines a, main td a, main .app a")].filter(
      (e) => e.getClientRects().length,
    );
    if (!stops.length) return;
    const at = stops.indexOf(document.activeElement);
    const next = stops[at < 0 ? (by > 0 ? 0 : stops.length - 1) : Math.min(Math.max(at + by, 0), stops.length - 1)];
    next.focus();
    next.scrollIntoView({ block: "center" });
  }

  function search() {
    const field = document.querySelector("main [data-search], main form[method=get] input:not([type=hidden])");
    if (field) {
      field.focus();
      field.select?.();
    }
    return Boolean(field);
  }

  function add(parent, tag, text) {
    const e = document.createElement(tag);
    if (text) e.textContent = text;
    parent.append(e);
    return e;
  }

  function keys(list, names, does) {
    const row = add(list, "div");
    const term = add(row, "dt");
    for (const name of names) add(term, "kbd", name);
    add(row, "dd", does);
  }

  function help() {
    const dialog = document.createElement("dialog");
    dialog.className = "help";
    dialog.setAttribute("aria-labelledby", "help-title");
    const title = add(dialog, "h2", "Keyboard");
    title.id = "help-title";
    const list = add(dialog, "dl");
    keys(list, ["j"], "the next alert or row");
    keys(list, ["k"], "the one before");
    keys(list, ["Enter"], "open it");
    keys(list, ["/"], "to the search, where there is one");
    for (const link of links()) keys(list, ["g", link.dataset.letter], link.textContent);
    keys(list, ["?"], "this");
    const label = add(dialog, "label");
    const box = add(label, "input");
    box.type = "checkbox";
    box.checked = stored() !== "off";
    label.append(" Keys of one letter do this");
    box.addEventListener("change", () => {
      try {
        localStorage.setItem(OFF, box.checked ? "on" : "off");
      } catch {
        box.checked = true;
      }
    });
    const form = add(dialog, "form");
    form.method = "dialog";
    const close = add(form, "button", "Close");
    close.type = "submit";
    dialog.addEventListener("close", () => dialog.remove());
    document.body.append(dialog);
    dialog.showModal();
  }

  function pressed(event) {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (typing(event.target) || document.querySelector("dialog[open]")) return;
    // Help is where the rest is switched on again.
    if (stored() === "off" && event.key !== "?") return;
    const led = afterG && links().find((link) => link.dataset.letter === event.key);
    clearTimeout(afterG);
    afterG = 0;
    if (led) led.click();
    else if (event.key === "g") {
      afterG = setTimeout(() => (afterG = 0), 1500);
      return;
    } else if (event.key === "j") step(1);
    else if (event.key === "k") step(-1);
    else if (event.key === "?") help();
    else if (event.key !== "/" || !search()) return;
    event.preventDefault();
  }

  // On a phone the row of pages is wider than the screen.
  document.querySelector(".pages [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
  document.addEventListener("keydown", pressed);
  document.addEventListener("renewed", dress);
  dress();
})();
