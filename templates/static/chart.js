// The BTC chart: closes from /api/bars, then every price of the stream at its right end.
"use strict";
(() => {
  const { $, $$, on, call, f } = window.desk, box = $("#chart");
  if (!box) return;
  let chart = null, seconds = 900, xs = [], ys = [];
  const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  function make() {
    chart?.destroy();
    const axis = { stroke: color("--muted"), grid: { stroke: color("--line"), width: 1 }, ticks: { show: false }, font: "11px system-ui, sans-serif" };
    chart = new uPlot({
      width: box.clientWidth, height: box.clientHeight, cursor: { y: false }, legend: { show: false },
      scales: { x: { time: true } },
      axes: [{ ...axis, space: 64, size: 26, values: (_, vs) => vs.map((v) => new Date(v * 1000).toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" })) }, { ...axis, side: 1, size: 66, values: (_, vs) => vs.map((v) => v.toLocaleString("en-US")) }],
      series: [{}, { stroke: color("--accent"), width: 1.5, fill: `${color("--accent")}14`, points: { show: false } }],
    }, [xs, ys], box);
  }
  async function load() {
    const answer = await call("GET", `/api/bars?seconds=${seconds}`);
    if (!answer.ok) return;
    xs = answer.data.t_s; ys = answer.data.close_e2.map((v) => v / 100);
    make();
  }
  on("price", ({ price }) => {
    if (!price || !chart) return;
    const at = Math.floor(price.received_at_ms / 1000), step = seconds > 7200 ? 60 : 1;
    if (xs.length && at - xs[xs.length - 1] < step) ys[ys.length - 1] = price.price_e2 / 100;
    else { xs.push(at); ys.push(price.price_e2 / 100); }
    while (xs.length && xs[0] < at - seconds) { xs.shift(); ys.shift(); }
    chart.setData([xs, ys]);
    box.setAttribute("aria-label", `BTC price over the last ${f.age(seconds)}, now ${f.usd(price.price_e2)}`);
  });
  on("theme", make);
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
