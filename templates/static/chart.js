// The BTC chart: closes from /api/bars, then every price of the stream at its right end; strikes held, entries and the settlement minute drawn
// over it, and in words below for those who do not see it.
"use strict";
(() => {
  const { $, $$, on, call, set, f, now, latest } = window.desk, box = $("#chart");
  if (!box) return;
  const SETTLES_S = 60, SECONDS_UP_TO = 7200, WORDS_MS = 5000, DRAW_MS = 900; // its finest step is a second: drawn once in it
  let chart = null, seconds = 900, xs = [], ys = [], loading = 0, told = 0, drawn = 0, marked = "", failed = "";
  const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const step = () => seconds > SECONDS_UP_TO ? 60 : 1;
  const held = () => (latest.trades?.live || []).filter((t) => t.entry_count_e2 > t.exit_count_e2);
  const closes_s = () => (latest.table?.close_time_ms || 0) / 1000;

  // ---- what is seen: the span asked for, whatever part of it is on record; up to the close when that is near
  const range = () => {
    const at = now() / 1000, close = closes_s(), ahead = close > at && close - at < seconds / 3 ? close : at;
    return [at - seconds, Math.max(at, ahead)];
  };
  function span() { // of the prices shown and of strikes held that are near them
    const [from, to] = range(), seen = ys.filter((y, at) => y != null && xs[at] >= from && xs[at] <= to);
    if (!seen.length) return [0, 1];
    let low = Math.min(...seen), high = Math.max(...seen);
    const room = Math.max(high - low, high * 0.0001);
    for (const t of held()) { const strike = t.strike_e2 / 100; if (strike > low - 2 * room && strike < high + 2 * room) { low = Math.min(low, strike); high = Math.max(high, strike); } }
    const edge = Math.max((high - low) * 0.08, high * 0.00002);
    return [low - edge, high + edge];
  }

  // ---- marks, under and over the line
  function shade(u) {
    const close = closes_s(), [from, to] = [u.scales.x.min, u.scales.x.max], { ctx, bbox } = u;
    if (!close || close <= from || close - SETTLES_S >= to) return;
    const left = Math.max(bbox.left, u.valToPos(close - SETTLES_S, "x", true)), right = Math.min(bbox.left + bbox.width, u.valToPos(close, "x", true));
    ctx.save(); ctx.fillStyle = color("--warn"); ctx.globalAlpha = 0.14; ctx.fillRect(left, bbox.top, right - left, bbox.height); ctx.restore();
  }
  function marks(u) {
    const { ctx, bbox } = u, ratio = devicePixelRatio || 1, right = bbox.left + bbox.width;
    ctx.save(); ctx.beginPath(); ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height); ctx.clip();
    ctx.font = `${11 * ratio}px system-ui, sans-serif`; ctx.lineWidth = ratio;
    for (const t of held()) {
      const strike = t.strike_e2 / 100, y = u.valToPos(strike, "y", true), side = color(t.side === "yes" ? "--yes" : "--no");
      ctx.strokeStyle = ctx.fillStyle = side;
      if (strike > u.scales.y.min && strike < u.scales.y.max) {
        ctx.setLineDash([6 * ratio, 4 * ratio]); ctx.beginPath(); ctx.moveTo(bbox.left, y); ctx.lineTo(right, y); ctx.stroke(); ctx.setLineDash([]);
        const label = `${t.side.toUpperCase()} ${f.strike(t.strike_e2)}`, wide = ctx.measureText(label).width;
        ctx.fillStyle = color("--panel"); ctx.fillRect(bbox.left + 2 * ratio, y - 15 * ratio, wide + 8 * ratio, 14 * ratio);
        ctx.fillStyle = side; ctx.fillText(label, bbox.left + 6 * ratio, y - 4 * ratio);
      }
      const at = t.opened_at_ms / 1000, price = near(at);
      if (!t.opened_at_ms || price == null || at < u.scales.x.min) continue;
      const x = u.valToPos(at, "x", true), py = u.valToPos(price, "y", true), size = 5 * ratio, down = t.side === "no" ? -1 : 1; // YES points up, NO down
      ctx.beginPath(); ctx.moveTo(x, py - down * size); ctx.lineTo(x + size, py + down * size); ctx.lineTo(x - size, py + down * size); ctx.closePath(); ctx.fill();
    }
    ctx.restore();
  }
  function near(at) { // the price then: the last one not after it
    for (let i = xs.length - 1; i >= 0; i -= 1) if (xs[i] <= at && ys[i] != null) return at - xs[i] <= 3 * step() + 60 ? ys[i] : null;
    return null;
  }

  function make() {
    chart?.destroy(); chart = null;
    const axis = { stroke: color("--muted"), grid: { stroke: color("--line"), width: 1 }, ticks: { show: false }, font: "11px system-ui, sans-serif" };
    chart = new uPlot({
      width: box.clientWidth, height: box.clientHeight, cursor: { y: false }, legend: { show: false },
      scales: { x: { time: true, range }, y: { range: span } },
      axes: [{ ...axis, space: 64, size: 26, values: (_, vs) => vs.map((v) => seconds <= 300 ? f.clock(v * 1000) : f.minute(v * 1000)) }, { ...axis, side: 1, size: 66, values: (_, vs) => vs.map((v) => v.toLocaleString("en-US")) }],
      series: [{}, { stroke: color("--accent"), width: 1.5, fill: `${color("--accent")}14`, points: { show: false }, spanGaps: false }],
      hooks: { drawClear: [shade], draw: [marks] },
    }, [xs, ys], box);
    words(true);
  }
  function words(soon) {
    if (!soon && Date.now() - told < WORDS_MS) return;
    told = Date.now();
    const seen = ys.filter((y) => y != null), name = $(`#spans [data-seconds="${seconds}"]`).textContent;
    if (!seen.length) { set($("#chart-text"), failed ? "" : `No price of the last ${name} is on record.`); return; }
    const first = seen[0], last = seen[seen.length - 1], usd = (v) => f.usd(Math.round(v * 100)), have_s = xs[xs.length - 1] - xs[0], left_s = closes_s() - now() / 1000;
    const part = have_s < seconds * 0.9 ? ` (only ${f.age(have_s)} on record)` : "";
    const strikes = held().map((t) => `${t.side.toUpperCase()} ${f.strike(t.strike_e2)}`);
    const settle = left_s > 0 && left_s <= SETTLES_S ? ` The settlement minute is on: ${f.age(left_s)} left.` : left_s > 0 && left_s < seconds / 3 ? " Shaded: the minute whose mean settles the market." : "";
    set($("#chart-text"), `Last ${name}${part}: from ${usd(first)} to ${usd(last)}, between ${usd(seen.reduce((a, b) => Math.min(a, b)))} and ${usd(seen.reduce((a, b) => Math.max(a, b)))}.${strikes.length ? ` Held: ${strikes.join(", ")}.` : ""}${settle}`);
    box.setAttribute("aria-label", `BTC price over the last ${name}`);
  }

  async function load() {
    const mine = ++loading, asked = seconds, answer = await call("GET", `/api/bars?seconds=${asked}`);
    if (mine !== loading) return;
    failed = answer.ok ? "" : `The chart could not be loaded: ${answer.why}. Choose a span to try again.`;
    set($("#chart-failed"), failed);
    xs = []; ys = [];
    if (answer.ok) answer.data.t_s.forEach((t, at) => {
      const before = xs[xs.length - 1];
      if (before !== undefined && t - before > 30 * step()) { xs.push(t - step()); ys.push(null); } // a hole in the record is a hole in the line
      xs.push(t); ys.push(answer.data.close_e2[at] / 100);
    });
    make();
  }
  on("price", ({ price }) => {
    if (!price || !chart) return;
    const at = Math.floor(price.received_at_ms / 1000), last = xs[xs.length - 1];
    if (last !== undefined && at < last) return;
    if (last !== undefined && at - last < step()) ys[ys.length - 1] = price.price_e2 / 100;
    else {
      if (last !== undefined && at - last > 30 * step()) { xs.push(at - 1); ys.push(null); }
      xs.push(at); ys.push(price.price_e2 / 100);
    }
    while (xs.length && xs[0] < at - seconds - step()) { xs.shift(); ys.shift(); }
    draw();
  });
  function draw() {
    if (!chart || performance.now() - drawn < DRAW_MS) return;
    drawn = performance.now();
    chart.setData([xs, ys]); words(false);
  }
  on("tick", draw); // the last price before a silence, too
  on("trades", () => {
    const marks = held().map((t) => `${t.trade_id} ${t.opened_at_ms}`).join();
    if (marks !== marked) { marked = marks; chart?.redraw(false); }
  });
  on("theme", () => { if (chart) make(); });
  let before = "";
  on("live", (state) => { if (before === "lost" && state !== "lost") load(); before = state; }); // what was missed is fetched
  new ResizeObserver(() => chart?.setSize({ width: box.clientWidth, height: box.clientHeight })).observe(box);
  $("#spans").addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    seconds = Number(button.dataset.seconds);
    for (const other of $$("#spans button")) other.setAttribute("aria-pressed", String(other === button));
    load();
  });
  document.addEventListener("DOMContentLoaded", load);
})();
