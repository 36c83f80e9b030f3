// The bar and the status line of every page: ages, services, incidents, the next close, the clock, the kill switch, the look's button, the title.
"use strict";
(() => {
  const { $, f, set, now, on, say, call, ask, tell, latest } = window.desk, root = document.documentElement;

  // ---- ages: number, and "old" in words when it is
  function aged(id, at_ms, limit_s) {
    const el = $(id);
    if (!el) return;
    const seconds = at_ms ? (now() - at_ms) / 1000 : null, old = seconds == null || seconds > limit_s;
    set(el, seconds == null ? "none" : f.age(seconds)); el.classList.toggle("is-stale", old);
    el.parentElement.classList.toggle("is-old", old);
  }
  let closes = [];
  on("events", ({ events }) => { closes = events; });
  on("tick", (at) => {
    if (latest.price) aged("#v-price", latest.price.price?.received_at_ms, 10);
    const v = latest.status?.vitals;
    if (v) { aged("#v-book", v.book_at_ms, 30); aged("#v-ledger", v.reconciled_at_ms, 180); }
    const next = closes.find((e) => e.close_time_ms > at), el = $("#v-close");
    set(el, next ? f.left(next.close_time_ms - at) : "–"); el.parentElement.title = next ? `${next.event_ticker} closes ${f.eastern(next.close_time_ms)} ET` : "No market is open";
    set($("#v-clock"), f.clock(at)); set($("#v-zone"), f.zone(at));
  });
  on("status", ({ status, vitals }) => {
    const ill = status.services.filter((s) => !s.healthy), all = status.services.length, el = $("#v-services");
    set(el, `${all - ill.length}/${all}`); el.classList.toggle("bad", ill.length > 0);
    el.parentElement.title = ill.map((s) => `${s.name}: ${s.reason}`).join("\n") || "All services prove their function";
    if (!vitals) return;
    const open = $("#v-incidents");
    set(open, String(vitals.incidents_open)); open.className = vitals.critical_open ? "bad" : vitals.incidents_open ? "warn" : "";
    const agrees = $("#v-agrees");
    set(agrees, vitals.reconciled == null ? "never compared" : vitals.reconciled ? "agrees" : "differs"); agrees.className = vitals.reconciled ? "" : "bad";
  });

  // ---- the kill switch
  const kill = $("#kill"), killed = () => kill.dataset.on === "true";
  on("switches", ({ settings }) => {
    const state = settings.kill_switch.on;
    if (!kill || killed() === state) return;
    kill.dataset.on = String(state); kill.elements.on.value = String(!state);
    $("button", kill).setAttribute("aria-pressed", String(state)); set($("b", kill), state ? "on" : "off");
    say(state ? "Kill switch is on: no new entries." : "Kill switch is off.", state ? "bad" : "");
  });
  async function flip(sure) {
    const on = !killed();
    if (on && !sure && !await ask("Stop all entries?", "The kill switch lets no new entry leave the desk. Exits stay possible.", "Stop entries")) return;
    if (!on && !await ask("Allow entries again?", "The kill switch is on. Switching it off lets entries through again, within the risk limits.", "Allow entries")) return;
    const answer = await call("PUT", "/api/settings/kill_switch", { on, why: on ? "switched by hand" : "" });
    if (!answer.ok) say(answer.why, "bad");
  }
  kill?.addEventListener("submit", (event) => { event.preventDefault(); flip(true); });

  // ---- the look's button: stored for the user, so that every device agrees
  async function turn() {
    const theme = getComputedStyle(root).colorScheme.includes("dark") ? "light" : "dark";
    root.dataset.theme = theme;
    tell("theme");
    const answer = await call("PUT", "/api/look", { theme });
    if (!answer.ok) say(`The look is not stored: ${answer.why}`, "bad");
  }
  $("#theme")?.addEventListener("click", turn);
  try { localStorage.setItem("theme", root.dataset.theme || ""); } catch { /* the log-in page looks as the system does then */ }

  // ---- the title: (open trades and the sign of their PnL) what the page says
  // Once a second: a browser draws its own frame anew for it. What is open changes it at once.
  const TITLE_MS = 950;
  let base = document.title, mark = "", titled = 0;
  function entitle() {
    const whole = mark + base;
    titled = performance.now();
    if (document.title !== whole) document.title = whole;
  }
  function title(text) { base = text; if (performance.now() - titled > TITLE_MS) entitle(); }
  on("tick", () => title(base));
  on("trades", ({ live }) => {
    const open = live.filter((t) => t.entry_count_e2 > t.exit_count_e2), known = open.filter((t) => t.pnl_if_closed_e6 != null);
    const pnl = known.reduce((sum, t) => sum + t.pnl_if_closed_e6, 0);
    const before = mark;
    mark = root.dataset.title === "off" || !open.length ? "" : `(${open.length}${known.length < open.length ? " ?" : pnl > 0 ? " ▲" : pnl < 0 ? " ▼" : ""}) `;
    if (mark !== before) entitle();
  });

  Object.assign(window.desk, { title, flipKill: flip, turnLook: turn });
})();
