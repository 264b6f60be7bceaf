// What Streamlit's page does not do by itself: links that ask without a reload, copy buttons, the machine that a
// browser keeps, the answer that the server wrote into the page, and a word to those who wait.
(() => {
  "use strict";

  const KEPT = "llm-fit-advisor-machine";
  const SAID_MS = 2000;
  const DOOR_MS = 10_000;
  const PATIENCE_MS = { connect: 4000, answer: 2500 };

  // Streamlit says on its outermost element how it is doing.
  const app = () => document.querySelector("[data-testid=stApp]");
  const connected = () => app()?.dataset.testConnectionState === "CONNECTED";
  const running = () => app()?.dataset.testScriptState === "running";

  // One sentence for everybody: seen in a corner, and read out.
  const notice = document.createElement("p");
  notice.id = "page-notice";
  notice.setAttribute("role", "status");
  notice.setAttribute("aria-live", "polite");
  let saidUntil = 0;

  function say(text, ms = 0) {
    if (ms) saidUntil = Date.now() + ms;
    if (notice.textContent !== text) notice.textContent = text;
  }

  // Links within the app. Streamlit reads the address anew on popstate, as after Back.
  function follow(event, link) {
    const ordinary = event.button !== 0 || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey;
    if (ordinary || (link.target && link.target !== "_self") || link.hasAttribute("download")) return;
    const to = new URL(link.href);
    // Before Streamlit has drawn, it knows no pages and would lose the click: the server answers with a whole page.
    if (to.origin !== location.origin || !connected() || link.closest("#first-answer")) return;
    event.preventDefault();
    const moved = to.pathname !== location.pathname;
    if (to.href !== location.href) history.pushState(null, "", to);
    dispatchEvent(new PopStateEvent("popstate", { state: null }));
    if (moved) document.querySelector("[data-testid=stMain]")?.scrollTo(0, 0);
  }

  // "1" or nothing copies what stands beside the button.
  async function copy(button) {
    const beside = button.parentElement?.querySelector("pre, code");
    const own = button.dataset.copy;
    const text = own && own !== "1" ? own : (beside?.textContent ?? "");
    const done = await written(text);
    if (!done && beside) getSelection()?.selectAllChildren(beside);
    const label = button.dataset.label ?? button.textContent;
    button.dataset.label = label;
    button.textContent = done ? "Copied" : "Press Ctrl+C";
    say(done ? "Copied" : "Not copied: the text is selected, press Ctrl+C", SAID_MS);
    clearTimeout(Number(button.dataset.timer));
    button.dataset.timer = String(setTimeout(() => (button.textContent = label), SAID_MS));
  }

  async function written(text) {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {
      // Without https browsers offer the old way only.
      const field = document.createElement("textarea");
      field.value = text;
      field.style.position = "fixed";
      field.style.opacity = "0";
      document.body.append(field);
      field.select();
      const done = document.execCommand("copy");
      field.remove();
      return done;
    }
  }

  // The visitor's own machine: part of a question, such as "machine=rtx-4090&host_memory_gib=64", and its name.
  function kept() {
    try {
      const found = JSON.parse(localStorage.getItem(KEPT));
      return typeof found?.query === "string" && typeof found.name === "string" ? found : null;
    } catch {
      return null;
    }
  }

  function keep(button) {
    const name = button.dataset.name || "My machine";
    try {
      localStorage.setItem(KEPT, JSON.stringify({ query: button.dataset.keepMachine, name }));
      say(`${name} is kept in this browser`, SAID_MS);
    } catch {
      say("This browser keeps nothing for this page", SAID_MS);
    }
    offer();
  }

  function forget() {
    try {
      localStorage.removeItem(KEPT);
      say("Forgotten", SAID_MS);
    } catch {
      // There was nothing to forget.
    }
    offer();
  }

  // `data-kept-machine` lists the keys of machines, which the kept ones take the place of.
  function offer() {
    const mine = kept();
    for (const link of document.querySelectorAll("[data-kept-machine]")) {
      const keys = link.dataset.keptMachine.split(/[\s,]+/).filter(Boolean);
      const now = new URLSearchParams(location.search);
      const then = new URLSearchParams(location.search);
      keys.forEach((key) => then.delete(key));
      for (const [key, value] of new URLSearchParams(mine?.query ?? "")) {
        if (keys.length === 0 || keys.includes(key)) then.set(key, value);
      }
      now.sort();
      const sorted = new URLSearchParams(then);
      sorted.sort();
      const shown = mine !== null && String(sorted) !== String(now);
      if (link.hidden !== !shown) link.hidden = !shown;
      if (!shown) continue;
      const href = `${location.pathname}?${then}`;
      if (link.getAttribute("href") !== href) link.setAttribute("href", href);
      const text = `My machine: ${mine.name}`;
      if (link.textContent !== text) link.textContent = text;
    }
    for (const button of document.querySelectorAll("[data-forget-machine]")) {
      if (button.hidden !== (mine === null)) button.hidden = mine === null;
    }
  }

  document.addEventListener("click", (event) => {
    const target = event.target instanceof Element ? event.target : event.target?.parentElement;
    const link = target?.closest("a[data-go], a[data-kept-machine]");
    if (link && !event.defaultPrevented) follow(event, link);
    const button = target?.closest("button[data-copy], button[data-keep-machine], button[data-forget-machine]");
    if (!button) return;
    if (button.hasAttribute("data-copy")) copy(button);
    else if (button.hasAttribute("data-keep-machine")) keep(button);
    else forget();
  });

  // Streamlit's tables take Tab for their own columns, one after the other; it has to lead on. Arrows move inside.
  function leave(event) {
    const table = event.target instanceof Element && event.target.closest("[data-testid=stDataFrame]");
    if (event.key !== "Tab" || !table) return;
    event.stopPropagation();
    for (const part of table.querySelectorAll(".dvn-scroller")) part.tabIndex = -1;
  }

  addEventListener("keydown", leave, true);
  addEventListener("storage", offer);
  addEventListener("popstate", offer);

  // The answer in the page goes when the real one is there, or when it turns out that there is none.
  let first = null;
  let began = false;

  function replaceFirst() {
    if (!first) return;
    began ||= running();
    const ended = began && connected() && app().dataset.testScriptState === "notRunning";
    if (document.querySelector("#root .answer") || ended) {
      first.remove();
      first = null;
    }
  }

  let asked = false;
  function look() {
    if (asked) return;
    asked = true;
    requestAnimationFrame(() => {
      asked = false;
      replaceFirst();
      offer();
    });
  }

  // Whoever is no longer logged in gets no connection, however long they wait: the server leads to where they log in.
  let askedAtTheDoor = 0;
  async function lookForTheDoor(now) {
    if (now - askedAtTheDoor < DOOR_MS) return;
    askedAtTheDoor = now;
    try {
      const answered = await fetch(location.href, { method: "HEAD", redirect: "manual" });
      if (answered.type === "opaqueredirect") location.reload();
    } catch {
      // It is away: waiting is right.
    }
  }

  let waitingSince = { connect: Date.now(), answer: Date.now() };
  function tell() {
    const now = Date.now();
    if (connected()) waitingSince.connect = now;
    if (!running()) waitingSince.answer = now;
    if (now < saidUntil) return;
    const seconds = (since) => Math.round((now - since) / 1000);
    if (now - waitingSince.connect > PATIENCE_MS.connect) {
      say(`Waiting for the server, ${seconds(waitingSince.connect)} s so far. It goes on by itself.`);
      lookForTheDoor(now);
    } else if (now - waitingSince.answer > PATIENCE_MS.answer) {
      say(`Working it out, ${seconds(waitingSince.answer)} s so far`);
    } else {
      say("");
    }
  }

  function start() {
    document.body.append(notice);
    first = document.getElementById("first-answer");
    const watched = { childList: true, subtree: true, attributes: true, attributeFilter: ["data-test-script-state"] };
    new MutationObserver(look).observe(document.getElementById("root") ?? document.body, watched);
    setInterval(tell, 500);
    look();
  }

  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
  else start();
})();
