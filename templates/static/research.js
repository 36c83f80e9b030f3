// Research: the curves of one to four runs from /api/research/runs, and a word when a run that was watched has ended.
"use strict";
(() => {
  const { $, $$, on, call, say, f } = window.desk, box = $("#curves");
  const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const LINES = [["--accent", []], ["--orange", [8, 4]], ["--no", [2, 3]], ["--good", [10, 3, 2, 3]]];
  let chart = null, runs = [];

  function make() {
    chart?.destroy();
    if (!runs.length) return;
    const axis = { stroke: color("--muted"), grid: { stroke: color("--line"), width: 1 }, ticks: { show: false }, font: "11px system-ui, sans-serif" };
    const tables = runs.map(({ summary: s }) => {
      const seen = new Map([[0, 0]]); // a run begins at nothing; of one second the last
      for (const [at_s, e6] of s.equity) seen.set((at_s - s.from_s) / 86400, (e6 - s.start_e6) / 1e6);
      seen.set((s.to_s - s.from_s) / 86400, s.pnl_e6 / 1e6);
      return [[...seen.keys()], [...seen.values()]];
    });
    chart = new uPlot({
      width: box.clientWidth, height: box.clientHeight, cursor: { y: false }, legend: { show: false }, scales: { x: { time: false } },
      axes: [{ ...axis, space: 64, size: 26, values: (_, vs) => vs.map((v) => `${Number(v.toFixed(2))} d`) }, { ...axis, side: 1, size: 66, values: (_, vs) => vs.map((v) => f.dollars(Math.round(v * 1e6), true)) }],
      series: [{}, ...runs.map((_, n) => ({ stroke: color(LINES[n][0]), dash: LINES[n][1], width: 2, spanGaps: true, points: { show: false }, paths: uPlot.paths.stepped({ align: 1 }) }))],
    }, uPlot.join(tables), box);
  }
  if (box) document.addEventListener("DOMContentLoaded", async () => {
    const answers = await Promise.all(box.dataset.runs.split(",").map((id) => call("GET", `/api/research/runs/${id}`)));
    const bad = answers.find((answer) => !answer.ok);
    if (bad) { say(bad.why, "bad"); return; }
    runs = answers.map((answer) => answer.data);
    make();
    on("theme", make);
    new ResizeObserver(() => chart?.setSize({ width: box.clientWidth, height: box.clientHeight })).observe(box);
  });

  // What was going and has ended since the last refresh; on its own page the result is shown.
  const WORDS = { done: ["is done", "good"], failed: ["failed", "bad"], cancelled: ["was cancelled", ""] };
  let before = states();
  function states() { return new Map($$("[data-run][data-state]").map((el) => [el.dataset.run, el.dataset.state])); }
  document.addEventListener("htmx:after:swap", () => {
    const now = states();
    for (const [id, state] of now) {
      if (!WORDS[state] || !before.has(id) || before.get(id) === state) continue;
      if ($("#run") && state === "done") location.reload();
      else say(`Run ${id} ${WORDS[state][0]}.`, WORDS[state][1], { href: $("#run") ? "" : `/research/runs/${id}` });
    }
    before = now;
  });
})();
