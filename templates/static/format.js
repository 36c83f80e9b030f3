// How numbers and times are written; recio.web.view writes them the same way on the server. Times follow the user's look (<html data-zone data-clock>).
"use strict";
window.desk = (() => {
  const NONE = "–", look = document.documentElement.dataset, zone = look.zone || undefined, hour12 = look.clock === "12";
  const minus = (text) => text.replace("-", "−");
  const numbers = [0, 1, 2, 3, 4].map((places) => new Intl.NumberFormat("en-US", { minimumFractionDigits: places, maximumFractionDigits: places }));
  const grouped = (n, places) => numbers[places].format(n);
  const two = (n) => String(n).padStart(2, "0");
  const clock = { hour: "2-digit", minute: "2-digit", ...(hour12 ? { hour12: true } : { hourCycle: "h23" }) }, second = { second: "2-digit" };
  const times = {}; // a formatter is costly to make: each is made once
  const written = (name, options, timeZone = zone) => { const made = (times[name] ||= new Intl.DateTimeFormat("en-GB", { ...options, timeZone })); return (ms) => ms == null || ms === "" ? NONE : made.format(Number(ms)); };
  const f = {
    usd: (e2) => e2 == null ? NONE : grouped(e2 / 100, 2),
    strike: (e2) => { if (e2 == null) return NONE; const w = e2 % 100 === 99 ? e2 + 1 : e2; return grouped(w / 100, w % 100 ? 2 : 0); },
    cents: (e4) => e4 == null ? NONE : `${Number((e4 / 100).toFixed(2))}¢`,
    edge: (e4) => { if (e4 == null) return NONE; const tenths = Math.round(e4 / 10) / 10; return minus(`${tenths > 0 ? "+" : ""}${(tenths || 0).toFixed(1)}`); }, // || 0: never "−0.0"
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
      const s = Math.max(0, Math.floor(ms / 1000));
      return s >= 3600 ? `${Math.floor(s / 3600)}:${two(Math.floor(s / 60) % 60)}:${two(s % 60)}` : `${Math.floor(s / 60)}:${two(s % 60)}`;
    },
    // ---- times, in milliseconds since 1970: the user's zone, and New York's for markets
    time: written("time", { day: "2-digit", month: "short", ...clock, ...second }),
    clock: written("clock", { ...clock, ...second }),
    minute: written("minute", clock),
    day: written("day", { day: "2-digit", month: "short", year: "numeric" }),
    eastern: written("eastern", { ...clock, ...second }, "America/New_York"),
    zone: (ms) => new Intl.DateTimeFormat("en-GB", { timeZone: zone, timeZoneName: "short" }).formatToParts(ms).find((part) => part.type === "timeZoneName").value,
  };
  return { f };
})();
