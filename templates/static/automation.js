// Auto entry and auto stop with the server's own sentence why each acts or not, their settings, the watchlist and the monitor picker.
"use strict";
(() => {
  const { $, $$, f, set, tone, call, say, on, latest } = window.desk, MOST = 8;
  const cell = (row, name) => $(`[data-f="${name}"]`, row), body = $("#watch tbody"), pick = $("#watch-monitor");
  const word = { enter: ["enters", "state state-open"], watch: ["watches", "state state-pending"] };

  function part(name, enabled, found) {
    const form = $(`[data-switch="${name}"]`), badge = $(`[data-acting="${name}"]`);
    $("button", form).setAttribute("aria-checked", String(enabled)); form.elements.enabled.value = String(!enabled);
    set($(`[data-why="${name}"]`), found.why); set(badge, found.acting ? "acting" : "not acting"); badge.className = `state${found.acting ? " state-open" : ""}`;
    $$(`[data-settings="${name}"] dd`).forEach((dd, at) => { const one = found.settings[at]; if (one) set(dd, `${one.value} ${one.unit}`); });
  }
  function watch() {
    const found = latest.switches.automation.watch.filter((r) => !pick.value || r.monitor_id === pick.value);
    const rows = found.slice(0, MOST);
    while (body.children.length > rows.length) body.lastElementChild.remove();
    rows.forEach((r, at) => {
      const tr = body.children[at] || body.appendChild($("#watch-row").content.firstElementChild.cloneNode(true)), [does, look] = word[r.action] || ["waits", "state"];
      tr.dataset.monitor = r.monitor_id;
      set(cell(tr, "market"), r.market_ticker.slice(r.market_ticker.indexOf("-") + 1)); set(cell(tr, "monitor"), r.monitor_id); set(cell(tr, "why"), r.why);
      const badge = $("span", cell(tr, "action")) || cell(tr, "action").appendChild(document.createElement("span")); set(badge, does); badge.className = look;
      set(cell(tr, "edge"), f.edge(r.differential_e4)); tone(cell(tr, "edge"), r.differential_e4);
    });
    $("#watch").hidden = !rows.length; $("#watch-empty").hidden = rows.length > 0;
    $("#watch-age").dataset.at = found.length ? Math.max(...found.map((r) => r.at_ms)) : "";
    if (!found.length) set($("#watch-age"), "");
    set($("#watch-more"), found.length > MOST ? `${found.length - MOST} more are judged; what acts or comes nearest is shown.` : "");
  }
  on("switches", ({ settings, automation }) => {
    part("auto_entry", settings.auto_entry.enabled, automation.entry); part("auto_stop", settings.auto_stop.enabled, automation.stop);
    for (const o of automation.monitors) { const li = $(`#monitors [data-monitor="${CSS.escape(o.monitor_id)}"]`), badge = li && $(".state", li); if (badge) { set(badge, o.enabled ? "on" : "off"); badge.className = `state${o.enabled ? " state-open" : ""}`; badge.title = o.why; } }
    watch();
  });
  pick.addEventListener("change", () => {
    if (latest.switches) watch();
    const own = latest.switches?.automation.monitors.find((o) => o.monitor_id === pick.value);
    if (own) window.desk.showSeries(own.series_ticker);
  });
  $("#monitors").addEventListener("click", (event) => {
    const link = event.target.closest("[data-series-link]");
    if (link) { event.preventDefault(); window.desk.showSeries(link.dataset.seriesLink); }
  });
  for (const form of $$("[data-switch]")) form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const answer = await call("PUT", `/api/settings/${form.dataset.switch}`, { enabled: form.elements.enabled.value === "true" });
    if (!answer.ok) say(answer.why, "bad");
  });
})();
