// The equity curve to look into: the server's drawing is replaced by uPlot, which says what it was worth at a moment; without script the drawing stays.
"use strict";
(() => {
  const { $, on, f } = window.desk;
  let plots = [], made = null, words = []; // words: what stands under the curve while nothing is pointed at
  const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const numbers = (text) => text.split(",").map(Number);
  function make() {
    const box = $("#curve");
    for (const plot of plots) plot.destroy();
    plots = [];
    if (box !== made) words = [];
    made = box;
    if (!box) return;
    const at = numbers(box.dataset.at), equity = numbers(box.dataset.equity), fall = numbers(box.dataset.fall);
    const said = $("#curve-at");
    if (!words.length) words = [...said.childNodes];
    const place = $(".plots", box) || box.insertBefore(Object.assign(document.createElement("div"), { className: "plots" }), $("figcaption", box));
    box.classList.add("is-plotted");
    const say = (u) => {
      const i = u.cursor.idx;
      if (i == null) said.replaceChildren(...words);
      else said.textContent = `${f.time(at[i])}: ${f.dollars(equity[i], true)}${fall[i] ? `, ${f.dollars(fall[i])} below its highest` : ", its highest so far"}`;
    };
    const axis = { stroke: color("--muted"), grid: { stroke: color("--line"), width: 1 }, ticks: { show: false }, font: "11px system-ui, sans-serif" };
    const plot = (height, series, values, x, range) => plots.push(new uPlot({
      width: place.clientWidth, height, padding: [8, 14, 0, 0], legend: { show: false }, cursor: { y: false, drag: { x: false }, sync: { key: "curve" } },
      scales: { x: { time: true }, y: { range } }, hooks: { setCursor: [say] },
      axes: [{ ...axis, show: x, size: 24, space: 90, values: (_, vs) => vs.map((v) => f.day(v * 1000).slice(0, 6)) }, { ...axis, size: 62, space: x ? 36 : 22, values: (_, vs) => vs.map((v) => f.dollars(v * 1e6, true, 0)) }],
      series: [{}, { width: 1.5, points: { show: false }, ...series }],
    }, [at.map((v) => v / 1000), values], place));
    plot(innerWidth < 720 ? 160 : 220, { stroke: color("--accent"), fill: `${color("--accent")}14` }, equity.map((v) => v / 1e6), true, (_, low, high) => [Math.min(0, low), Math.max(0, high)]);
    plot(70, { stroke: color("--bad"), fill: `${color("--bad")}22` }, fall.map((v) => -v / 1e6), false, (_, low) => [Math.min(low, -0.01) * 1.05, 0]);
  }
  on("theme", make);
  document.addEventListener("DOMContentLoaded", make);
  // The address says what is shown: a reload, a bookmark and the trade's way back keep the filter.
  document.addEventListener("htmx:after:swap", () => {
    const form = $(".past-filters"), chosen = form && new URLSearchParams([...new FormData(form)].filter(([, value]) => value));
    if (chosen) history.replaceState(null, "", `${form.getAttribute("action")}?${chosen}`);
    make();
  });
  let width = innerWidth;
  addEventListener("resize", () => { if (innerWidth !== width) { width = innerWidth; make(); } });
})();
