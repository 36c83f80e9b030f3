// The core every page shares: elements, listeners painted once a frame, messages, the desk's own question box, ages and local times.
// Pages add themselves with desk.on(topic, fn): price events table trades switches status news beat (stream.js), tick (each half second), theme, live.
// What a frame costs is paid by the whole window, not by what changed in it: so ages and countdowns go with a frame that is painted anyway.
"use strict";
(() => {
  const { f } = window.desk, body = document.body, listeners = {}, latest = {}, painted = {};
  const SLOWEST_MS = { table: 250, trades: 250, status: 250 }; // a table is painted four times a second at most
  const TICK_MS = 450; // ages and countdowns, beside whatever is painted; without any, on their own a little later
  const $ = (selector, root = document) => root.querySelector(selector);
  const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];
  const set = (el, text) => {
    const only = el?.firstChild;
    if (only && only === el.lastChild && only.nodeType === 3) { if (only.data !== text) only.data = text; } // the node stays: no new one to lay out and to collect
    else if (el && el.textContent !== text) el.textContent = text;
  };
  const tone = (el, value) => { if (!el) return; el.classList.toggle("up", value > 0); el.classList.toggle("down", value < 0); };

  // ---- the server's clock: every frame corrects it
  let offset = Number(body.dataset.now) - Date.now();
  const now = () => Date.now() + offset;
  const clockIs = (server_ms, at = Date.now()) => { offset = server_ms - at; };

  // ---- listeners: the newest of a topic wins, painted together; one that fails does not stop the others
  const dirty = new Set();
  let waiting = 0;
  function tell(topic, value) {
    for (const fn of listeners[topic] || []) try { fn(value); } catch (error) { reportError(error); }
  }
  function paint() {
    clearTimeout(waiting); waiting = 0;
    const at = performance.now();
    let soonest = Infinity;
    for (const topic of dirty) {
      const wait = (SLOWEST_MS[topic.split(" ")[0]] || 0) - (at - (painted[topic] ?? -Infinity));
      if (wait > 0) { soonest = Math.min(soonest, wait); continue; }
      dirty.delete(topic); painted[topic] = at; tell(topic, latest[topic]);
    }
    if (dirty.size) waiting = setTimeout(soon, soonest);
    if (at - ticked > TICK_MS) tick();
  }
  const soon = () => document.hidden ? paint() : requestAnimationFrame(paint);
  function receive(topic, data) {
    latest[topic] = data; dirty.add(topic);
    if (!waiting) waiting = document.hidden ? setTimeout(paint, 250) : (requestAnimationFrame(paint), setTimeout(paint, 400)); // no frame comes while a page is hidden
  }
  function on(topic, fn) { (listeners[topic] ||= []).push(fn); if (latest[topic] !== undefined) fn(latest[topic]); }

  // ---- messages. kind: "", good, warn, bad. stay: until it is closed; quiet: shown, not read out. Four are shown at most.
  function say(text, kind = "", { href = "", stay = false, quiet = false, at_ms = 0 } = {}) {
    const box = $(quiet ? "#told" : "#said"), line = document.createElement("p"), words = document.createElement("span");
    words.textContent = at_ms && now() - at_ms > 60000 ? `${f.time(at_ms)}: ${text}` : text;
    line.className = kind; line.append(words);
    if (href) { const link = document.createElement("a"); link.href = href; link.textContent = "Show"; line.append(" ", link); }
    if (stay) {
      const close = document.createElement("button");
      close.type = "button"; close.className = "plain"; close.textContent = "×"; close.setAttribute("aria-label", "Close this message");
      close.addEventListener("click", () => line.remove());
      line.append(close);
    } else setTimeout(() => line.remove(), kind === "bad" ? 12000 : 6000);
    box.append(line);
    const shown = $$("#said p, #told p");
    for (const old of shown.slice(0, Math.max(0, shown.length - 4))) old.remove();
  }
  // Back to where the focus was; what was there may have left the page meanwhile (an event ends) or be disabled (the stream is lost), and
  // then the focus is not lost but near.
  function refocus(before, near = $("main")) {
    if (before?.isConnected) before.focus({ preventScroll: true });
    if (before?.isConnected && document.activeElement === before) return;
    near.tabIndex = -1;
    near.focus({ preventScroll: true });
  }
  function ask(title, text, yes) {
    const box = $("#ask"), before = document.activeElement;
    set($("#ask-title"), title); set($("#ask-text"), text); set($("#ask-yes"), yes);
    box.returnValue = "no";
    box.showModal();
    return new Promise((done) => box.addEventListener("close", () => { refocus(before); done(box.returnValue === "yes"); }, { once: true }));
  }

  // ---- ages: each .age past its limit says "old" and greys what it belongs to ([data-stale-group], its row, its panel)
  let ticked = 0;
  function tick() {
    const at = now(), groups = new Map();
    ticked = performance.now();
    for (const el of $$(".age[data-at]")) {
      if (!el.dataset.at) continue;
      const seconds = (at - Number(el.dataset.at)) / 1000, old = seconds > Number(el.dataset.limit);
      set(el, `${f.age(seconds)}${old ? " old" : ""}`);
      if (el.classList.contains("is-stale") !== old) el.classList.toggle("is-stale", old);
      const group = el.closest("[data-stale-group], tr, .panel");
      if (group) groups.set(group, groups.get(group) || old);
    }
    for (const [group, old] of groups) if (group.classList.contains("is-old") !== old) group.classList.toggle("is-old", old);
    tell("tick", at);
  }
  function localTimes(root = document) {
    for (const el of $$("time[data-local]", root)) if (el.dataset.local) { set(el, f.time(el.dataset.local)); el.title = el.dateTime; }
  }

  Object.assign(window.desk, { $, $$, set, tone, now, clockIs, on, tell, receive, paint, latest, say, ask, refocus, tick, localTimes });
  localTimes();
  document.addEventListener("DOMContentLoaded", () => { tick(); setInterval(() => { if (performance.now() - ticked > 2 * TICK_MS) tick(); }, 250); });
  document.addEventListener("visibilitychange", () => { paint(); tick(); });
})();
