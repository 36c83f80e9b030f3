// Every page: formats, ages, the one event stream, calls to the API, messages. Pages add themselves with desk.on(topic, fn).
"use strict";
window.desk = (() => {
  const NONE = "–", body = document.body, listeners = {}, latest = {};
  const csrf = document.querySelector("meta[name=csrf-token]").content;
  let offset = Number(body.dataset.now) - Date.now(), heard = Date.now(), opened = false, reason = "";

  const $ = (selector, root = document) => root.querySelector(selector);
  const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];
  const now = () => Date.now() + offset;
  const set = (el, text) => { if (el && el.textContent !== text) el.textContent = text; };
  const tone = (el, value) => { if (!el) return; el.classList.toggle("up", value > 0); el.classList.toggle("down", value < 0); };

  const minus = (text) => text.replace("-", "−");
  const grouped = (n, places) => n.toLocaleString("en-US", { minimumFractionDigits: places, maximumFractionDigits: places });
  const f = {
    usd: (e2) => e2 == null ? NONE : grouped(e2 / 100, 2),
    strike: (e2) => { if (e2 == null) return NONE; const w = e2 % 100 === 99 ? e2 + 1 : e2; return grouped(w / 100, w % 100 ? 2 : 0); },
    cents: (e4) => e4 == null ? NONE : `${Number((e4 / 100).toFixed(2))}¢`,
    edge: (e4) => e4 == null ? NONE : minus(`${e4 > 0 ? "+" : ""}${(e4 / 100).toFixed(1)}`),
    dollars: (e6, signed, places = 2) => {
      if (e6 == null) return NONE;
      const whole = Math.round(Math.abs(e6) / 10 ** (6 - places));
      return `${e6 < 0 && whole ? "−" : signed && whole ? "+" : ""}$${grouped(whole / 10 ** places, places)}`;
    },
    count: (e2) => e2 == null ? NONE : String(e2 / 100),
    whole: (e2) => e2 == null ? NONE : grouped(Math.floor(e2 / 100), 0),
    percent: (p, places = 1) => p == null ? NONE : `${(100 * p).toFixed(places)} %`,
    bp: (v) => v == null ? NONE : minus(`${v > 0 ? "+" : ""}${v}`),
    change: (v) => v == null ? NONE : minus(`${v >= 0 ? "+" : ""}${(v / 100).toFixed(2)} %`),
    age: (s) => s < 10 ? `${Math.max(0, s).toFixed(1)} s` : s < 120 ? `${Math.round(s)} s` : s < 7200 ? `${Math.round(s / 60)} min` : s < 172800 ? `${Math.round(s / 3600)} h` : `${Math.round(s / 86400)} d`,
    left: (ms) => {
      const s = Math.max(0, Math.floor(ms / 1000)), two = (n) => String(n).padStart(2, "0");
      return s >= 3600 ? `${Math.floor(s / 3600)}:${two(Math.floor(s / 60) % 60)}:${two(s % 60)}` : `${Math.floor(s / 60)}:${two(s % 60)}`;
    },
    time: (ms) => new Date(ms).toLocaleString([], { day: "2-digit", month: "short", hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false }),
    eastern: (ms) => new Date(ms).toLocaleTimeString("en-GB", { timeZone: "America/New_York" }),
  };

  function say(text, kind = "") {
    const line = document.createElement("p");
    line.textContent = text; line.className = kind;
    $("#said").append(line);
    setTimeout(() => line.remove(), kind === "bad" ? 12000 : 6000);
  }

  // A call that changes something carries the session's token. Answers {ok, status, data}; never throws for a refusal.
  // What may be repeated (all but POST) is tried once more when the connection broke; a ticket repeats itself by its key.
  async function call(method, path, data, again = method !== "POST") {
    const headers = { "X-CSRF-Token": csrf };
    if (data !== undefined) headers["Content-Type"] = "application/json";
    try {
      const answer = await fetch(path, { method, headers, body: data === undefined ? undefined : JSON.stringify(data) });
      if (answer.status === 401) location.assign(`/login?next=${encodeURIComponent(location.pathname)}`);
      const got = await answer.json().catch(() => ({}));
      if (got.code === "reauth_required") location.assign(`/settings/security/confirm?next=${encodeURIComponent(location.pathname + location.search)}`);
      return { ok: answer.ok, status: answer.status, data: got, why: got.cure ? `${got.detail}; ${got.cure}` : got.detail ?? "" };
    } catch {
      if (!again) return { ok: false, status: 0, data: {}, why: "the desk did not answer" };
      await new Promise((done) => setTimeout(done, 400));
      return call(method, path, data, false);
    }
  }

  function ask(title, text, yes) {
    const box = $("#ask");
    if (!box) return Promise.resolve(window.confirm(text));
    set($("#ask-title"), title); set($("#ask-text"), text); set($("#ask-yes"), yes);
    box.returnValue = "no";
    box.showModal();
    return new Promise((done) => box.addEventListener("close", () => done(box.returnValue === "yes"), { once: true }));
  }

  // ---- the stream: one connection, whole pictures by topic, painted once a frame
  const dirty = new Set();
  function paint() {
    for (const topic of dirty) for (const fn of listeners[topic] || []) fn(latest[topic]);
    dirty.clear();
  }
  function on(topic, fn) { (listeners[topic] ||= []).push(fn); if (latest[topic]) fn(latest[topic]); }
  let source = null, want = body.dataset.stream, failures = 0;
  function connect(query = want) {
    want = query;
    source?.close();
    source = new EventSource(`/api/stream${query ? `?${query}` : ""}`);
    for (const topic of ["price", "events", "table", "trades", "switches", "status", "beat"]) {
      source.addEventListener(topic, (message) => {
        const data = JSON.parse(message.data);
        heard = Date.now(); offset = data.now_ms - heard; failures = 0;
        if (topic === "beat") { opened = data.ok; reason = data.why; alive(); return; }
        opened ||= topic === "price";
        latest[topic] = data;
        if (!dirty.size) requestAnimationFrame(paint);
        dirty.add(topic);
      });
    }
    source.onerror = () => {
      opened = false; reason = "the connection broke; trying again"; alive();
      if (source.readyState !== EventSource.CLOSED) return;
      setTimeout(() => connect(), Math.min(10000, 1000 * 2 ** failures));
      if (++failures === 2) call("GET", "/api/settings/kill_switch");
    };
    source.addEventListener("bye", () => { opened = false; alive(); });
  }
  function alive() {
    const silent = (Date.now() - heard) / 1000, lost = !opened || silent > 12;
    const price = latest.price?.price, old = price ? (now() - price.received_at_ms) / 1000 : 0, stale = !lost && (!price || old > 10);
    body.classList.toggle("lost", lost); body.classList.toggle("stale", stale);
    const text = lost ? `Live data is lost${silent > 3 ? ` for ${f.age(silent)}` : ""}: ${reason || "the desk is silent"}. Orders are off until it is back.`
      : stale && latest.price ? (price ? `The BTC price is ${f.age(old)} old. New entries are off until it moves.` : "No BTC price yet.") : "";
    const banner = $("#banner");
    if (banner && performance.now() > 3000) { set(banner, text); banner.hidden = !text; }
    for (const button of $$("[data-order]")) button.disabled = lost || stale || button.dataset.off === "true";
    for (const button of $$("[data-close]")) button.disabled = lost || button.dataset.off === "true";
  }

  // ---- ages, countdowns, local times
  function tick() {
    const at = now();
    for (const el of $$(".age[data-at]")) {
      if (!el.dataset.at) continue;
      const seconds = (at - Number(el.dataset.at)) / 1000, old = seconds > Number(el.dataset.limit);
      set(el, `${f.age(seconds)}${old ? " old" : ""}`);
      if (el.classList.contains("is-stale") !== old) el.classList.toggle("is-stale", old);
    }
    const price = latest.price?.price;
    if (price) {
      const seconds = (at - price.received_at_ms) / 1000;
      set($("#v-price"), f.age(seconds)); $("#v-price").classList.toggle("is-stale", seconds > 10);
    }
    alive();
    for (const fn of listeners.tick || []) fn(at);
  }
  function localTimes(root = document) {
    for (const el of $$("time[data-local]", root)) if (el.dataset.local) { set(el, f.time(Number(el.dataset.local))); el.title = el.dateTime; }
  }

  on("status", ({ status }) => {
    const well = status.services.filter((s) => s.healthy).length, el = $("#v-services");
    set(el, `${well}/${status.services.length}`);
    el.classList.toggle("bad", well < status.services.length);
    el.parentElement.title = status.services.filter((s) => !s.healthy).map((s) => `${s.name}: ${s.reason}`).join("\n") || "All services prove their function";
  });
  on("switches", ({ settings }) => {
    const kill = $("#kill"), state = settings.kill_switch.on;
    if (!kill || kill.dataset.on === String(state)) return;
    kill.dataset.on = String(state); kill.elements.on.value = String(!state);
    $("button", kill).setAttribute("aria-pressed", String(state)); set($("b", kill), state ? "on" : "off");
    say(state ? "Kill switch is on: no new entries." : "Kill switch is off.", state ? "bad" : "");
  });
  $("#kill")?.addEventListener("submit", async (event) => {
    event.preventDefault();
    const turnOn = $("#kill").dataset.on !== "true";
    if (!turnOn && !await ask("Allow entries again?", "The kill switch is on. Switching it off lets entries through again, within the risk limits.", "Allow entries")) return;
    const answer = await call("PUT", "/api/settings/kill_switch", { on: turnOn, why: turnOn ? "switched by hand" : "" });
    if (!answer.ok) say(answer.why, "bad");
  });
  $("#theme")?.addEventListener("click", () => {
    const root = document.documentElement, dark = getComputedStyle(root).colorScheme.includes("dark");
    root.dataset.theme = dark ? "light" : "dark";
    try { localStorage.setItem("theme", root.dataset.theme); } catch { /* only for this page then */ }
    for (const fn of listeners.theme || []) fn();
  });
  document.querySelector(".logout")?.addEventListener("submit", () => source?.close());

  localTimes();
  document.addEventListener("DOMContentLoaded", () => { connect(); tick(); setInterval(tick, 500); });
  return { $, $$, f, set, tone, now, say, call, ask, on, connect, alive, localTimes, lost: () => body.classList.contains("lost"), latest };
})();
