// Renews <main> every 5 s from the page's own address, and says so when it cannot.
// Without this script the pages are the same, only still.
"use strict";
(() => {
  const EVERY_MS = 5000;
  const PATIENCE_MS = 4500;
  const live = document.getElementById("live");
  const spoken = document.getElementById("spoken");
  let renewedAt = new Date();

  const time = (at) => at.toISOString().slice(11, 19) + " UTC";

  function say(text, stale) {
    live.textContent = text;
    document.documentElement.classList.toggle("stale", stale);
  }

  // What somebody types, selects or has opened must not be pulled away.
  function inUse(main) {
    const focus = document.activeElement;
    const selection = document.getSelection();
    const typing = focus && main.contains(focus) && focus.matches("input, select, textarea");
    const selecting = selection && !selection.isCollapsed && main.contains(selection.anchorNode);
    return typing || selecting;
  }

  function refocus(main, before) {
    if (!before) return;
    const same = (e) => e.textContent === before.textContent && e.getAttribute("href") === before.getAttribute("href");
    const found = before.id ? document.getElementById(before.id) : [...main.querySelectorAll(before.tagName)].find(same);
    if (found) found.focus({ preventScroll: true });
  }

  function replace(page) {
    const main = document.getElementById("main");
    const focus = document.activeElement;
    const before = focus && main.contains(focus) ? focus : null;
    const fresh = document.adoptNode(page.getElementById("main"));
    const open = [...main.querySelectorAll("details[open]")].map((e) => e.id);
    main.replaceWith(fresh);
    for (const id of open) document.getElementById(id)?.setAttribute("open", "");
    refocus(fresh, before);
    const icon = page.querySelector("link[rel=icon]");
    if (icon) document.querySelector("link[rel=icon]").setAttribute("href", icon.getAttribute("href"));
    if (document.title !== page.title) {
      document.title = page.title;
      spoken.textContent = page.title;
    }
    dress();
  }

  // Small comforts: the reader's own time on hover, and a button to copy what is long.
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

  async function renew() {
    try {
      const answer = await fetch(location.href, { cache: "no-store", signal: AbortSignal.timeout(PATIENCE_MS) });
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      if (!answer.ok || !page.getElementById("main")) throw new Error("status " + answer.status);
      if (inUse(document.getElementById("main"))) {
        say("Paused while you type or select; last renewed " + time(renewedAt), false);
        return;
      }
      replace(page);
      renewedAt = new Date();
      say("Live, every 5 s", false);
    } catch (fault) {
      say("No answer since " + time(renewedAt) + ": what you see is old", true);
    }
  }

  async function go() {
    await renew();
    setTimeout(go, EVERY_MS);
  }

  document.documentElement.classList.add("scripted");
  say("Live, every 5 s", false);
  dress();
  setTimeout(go, EVERY_MS);
})();
