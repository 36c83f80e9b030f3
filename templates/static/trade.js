// The trade page: BTC's price and its changes, and which event is shown.
"use strict";
(() => {
  const { $, $$, f, set, tone, on, connect, latest } = window.desk;
  on("price", ({ price }) => {
    if (!price) return;
    set($("#price"), f.usd(price.price_e2)); $("#price-age").dataset.at = price.received_at_ms;
    window.desk.title(`${f.usd(price.price_e2)} · REC.IO`);
    for (const el of $$("[data-change]")) { const v = price[el.dataset.change]; set(el, f.change(v)); tone(el, v); }
    set($("#momentum"), f.bp(price.momentum_bp)); tone($("#momentum"), price.momentum_bp);
    set($("#volatility"), price.volatility_per_sqrt_s == null ? "–" : `${(price.volatility_per_sqrt_s * 774.597).toFixed(3)} %`);
    for (const el of $$("[data-window]")) set(el, f.bp(price.momentum_windows?.[el.dataset.window]));
  });

  // ---- which event: a series follows the event that closes next, the picker fixes one
  on("events", ({ events }) => {
    const picker = $("#event"), names = events.map((e) => e.event_ticker).join();
    if (picker === document.activeElement || picker.dataset.names === names) return;
    picker.dataset.names = names;
    picker.replaceChildren(...events.map((e) => new Option(`${e.series_ticker} ${f.eastern(e.close_time_ms)} ET`, e.event_ticker)));
    if (latest.table) picker.value = latest.table.event_ticker;
  });
  function choose(query) {
    history.replaceState(null, "", `/?${query}`); connect(query);
    const series = new URLSearchParams(query).get("series");
    for (const tab of $$("[data-series]")) { if (tab.dataset.series === series) tab.setAttribute("aria-current", "true"); else tab.removeAttribute("aria-current"); }
  }
  const series = (name) => choose(`series=${encodeURIComponent(name)}`);
  $("#event").addEventListener("change", (event) => choose(`event=${encodeURIComponent(event.target.value)}`));
  $("#series").addEventListener("click", (event) => {
    const tab = event.target.closest("[data-series]");
    if (tab) { event.preventDefault(); series(tab.dataset.series); }
  });
  window.desk.showSeries = (name) => { if ($(`[data-series="${CSS.escape(name)}"]`)) series(name); };
})();
