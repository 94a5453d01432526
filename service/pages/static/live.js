// Renews <main> from the page's own address whenever the server says that something has changed, and says so when it
// cannot. Without this script the pages are the same, only still.
"use strict";
(() => {
  const SOON_MS = 500; // between two renewals, at least
  const IDLE_MS = 15000; // "3 min ago" gets old without any news
  const POLL_MS = 5000; // where nobody tells us of news
  const RETRY_MS = 30000; // before news are asked for again that were refused
  const PATIENCE_MS = 4500;
  const live = document.getElementById("live");
  const spoken = document.getElementById("spoken");
  const here = document.getElementById("main");
  const from = here.dataset.live; // "": nobody tells this page of news

  let renewedAt = new Date();
  let tookMs = 0;
  let renewing = false;
  let wanted = false;
  let timer = 0;
  let news = null;
  let told = false; // whether news come

  const time = (at) => at.toISOString().slice(11, 19) + " UTC";

  function say(text, stale) {
    if (live.textContent !== text) live.textContent = text;
    document.documentElement.classList.toggle("stale", stale);
  }

  // What somebody types, selects or has opened must not be pulled away.
  function inUse(main) {
    const focus = document.activeElement;
    const selection = document.getSelection();
    const typing = focus && main.contains(focus) && focus.matches("input, select, textarea");
    const selecting = selection && !selection.isCollapsed && main.contains(selection.anchorNode);
    return typing || selecting || main.querySelector(":active"); // a press that has not been let go
  }

  const given = (field) =>
    field.options ? ([...field.options].find((e) => e.defaultSelected) ?? field.options[0])?.value : field.defaultValue;

  // What was written or chosen in a form and not yet sent, by its place.
  function written(main) {
    const fields = [...main.querySelectorAll("form[action] :is(input, select, textarea)")];
    return fields.filter((e) => e.value !== given(e)).map((e) => [e.form.getAttribute("action"), e.name, e.value]);
  }

  function rewrite(main, kept) {
    for (const form of main.querySelectorAll("form[action]"))
      for (const [action, name, value] of kept) {
        const field = form.getAttribute("action") === action && form.elements.namedItem(name);
        if (field) field.value = value;
      }
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
    const open = [...main.querySelectorAll("details[open]")].map((e) => e.id).filter(Boolean);
    rewrite(fresh, written(main));
    main.replaceWith(fresh);
    for (const id of open) document.getElementById(id)?.setAttribute("open", "");
    refocus(fresh, before);
    const icon = page.querySelector("link[rel=icon]");
    if (icon) document.querySelector("link[rel=icon]").setAttribute("href", icon.getAttribute("href"));
    if (document.title !== page.title) {
      document.title = page.title;
      spoken.textContent = page.title;
    }
    document.dispatchEvent(new Event("renewed"));
  }

  async function fetched() {
    const began = performance.now();
    const answer = await fetch(location.href, {
      cache: "no-store",
      headers: { Accept: "text/html" },
      signal: AbortSignal.timeout(PATIENCE_MS),
    });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    tookMs = performance.now() - began;
    // The session is over: to the form, and from there back.
    if (answer.redirected) location.assign(answer.url);
    if (!answer.ok || answer.redirected || !page.getElementById("main")) throw new Error("status " + answer.status);
    return page;
  }

  async function renew() {
    renewing = true;
    wanted = false;
    try {
      const page = await fetched();
      if (inUse(document.getElementById("main"))) {
        say("Paused while you type or select; last renewed " + time(renewedAt), false);
      } else {
        replace(page);
        renewedAt = new Date();
        say(told ? "Live" : "Live, every " + POLL_MS / 1000 + " s", false);
      }
    } catch (fault) {
      say("No answer since " + time(renewedAt) + ": what you see is old", true);
    }
    renewing = false;
    // A page that is slow to make is made less often.
    plan(wanted ? Math.max(SOON_MS, 5 * tookMs) : told ? IDLE_MS : POLL_MS);
  }

  function plan(inMs) {
    clearTimeout(timer);
    timer = setTimeout(renew, inMs);
  }

  function soon() {
    if (renewing) wanted = true;
    else plan(Math.max(0, SOON_MS - (new Date() - renewedAt)));
  }

  // Only a page that somebody sees holds a stream: a browser has few connections to one place.
  function listen() {
    news?.close();
    news = null;
    told = false;
    if (document.hidden || !from || !window.EventSource) return;
    const stream = (news = new EventSource(from));
    stream.addEventListener("open", () => {
      told = true;
      soon();
    });
    stream.addEventListener("changed", soon);
    stream.addEventListener("error", () => {
      told = false;
      soon();
      // Else it tries again by itself.
      if (stream.readyState === EventSource.CLOSED && news === stream) setTimeout(() => news === stream && listen(), RETRY_MS);
    });
  }

  document.documentElement.classList.add("scripted");
  say("Live", false);
  document.addEventListener("visibilitychange", () => {
    listen();
    if (!document.hidden) soon();
  });
  addEventListener("pagehide", () => news?.close());
  addEventListener("pageshow", (event) => event.persisted && listen());
  listen();
  plan(POLL_MS);
})();
