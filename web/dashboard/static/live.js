// Keeps a page up to date: when something happens it asks for the page again
// and swaps the parts that changed. The page is complete without it.
"use strict";

(() => {
  if (!document.body.hasAttribute("data-live-page")) return;
  const status = document.querySelector("[data-live-status]");
  const pause = 1000; // between two looks, however much happens
  const patience = 5000; // between two looks when nobody tells us
  let dirty = false, busy = false, streaming = false, last = Date.now();

  const say = (text, kind) => {
    if (status && status.textContent !== text) {
      status.textContent = text;
      status.dataset.kind = kind;
    }
  };

  // swap keeps what a person opened or scrolled through a swap.
  const swap = (old, fresh) => {
    const same = old.innerHTML === fresh.innerHTML;
    if (same || old.contains(document.activeElement) || old.contains(selected())) return;
    const open = [...old.querySelectorAll("details")].map((d) => d.open);
    const scroll = [...old.querySelectorAll(".scroll")].map((d) => d.scrollLeft);
    old.replaceWith(fresh);
    fresh.querySelectorAll("details").forEach((d, i) => { d.open = open[i] ?? d.open; });
    fresh.querySelectorAll(".scroll").forEach((d, i) => { d.scrollLeft = scroll[i] ?? 0; });
  };

  const selected = () => {
    const s = getSelection();
    return s && !s.isCollapsed ? s.anchorNode : null;
  };

  const refresh = async () => {
    if (busy || document.hidden) return;
    busy = true;
    dirty = false;
    try {
      const answer = await fetch(location.href, { headers: { Accept: "text/html" }, redirect: "error" });
      if (!answer.ok) throw new Error(answer.statusText);
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      for (const fresh of page.querySelectorAll("[data-live][id]")) {
        const old = document.getElementById(fresh.id);
        if (old) swap(old, document.adoptNode(fresh));
      }
      say(streaming ? "live" : "up to date", "good");
    } catch {
      say("no connection", "bad");
    } finally {
      busy = false;
      last = Date.now();
    }
  };

  setInterval(() => {
    const since = Date.now() - last;
    if (dirty ? since >= pause : since >= patience) refresh();
  }, 250);
  document.addEventListener("visibilitychange", () => { dirty = true; });

  const events = new EventSource("/api/v1/events");
  const mark = () => { dirty = true; };
  events.onopen = () => { streaming = true; say("live", "good"); };
  events.onmessage = mark;
  events.addEventListener("reset", mark);
  events.onerror = () => { streaming = false; };
  addEventListener("pagehide", () => events.close());
})();
