// The trade page: paints price, strike table, trades and switches from the stream; opens tickets; closes trades.
"use strict";
(() => {
  const { $, $$, f, set, tone, call, say, ask, on, now, connect, alive, latest } = window.desk;
  let shown = null, closes = Number($("#countdown").dataset.close) || 0, held = {};
  const cell = (row, name) => $(`[data-f="${name}"]`, row);

  on("price", ({ price }) => {
    if (!price) return;
    set($("#price"), f.usd(price.price_e2)); $("#price-age").dataset.at = price.received_at_ms;
    window.desk.title(`${f.usd(price.price_e2)} · REC.IO`);
    for (const el of $$("[data-change]")) { const v = price[el.dataset.change]; set(el, f.change(v)); tone(el, v); }
    set($("#momentum"), f.bp(price.momentum_bp)); tone($("#momentum"), price.momentum_bp);
    set($("#volatility"), price.volatility_per_sqrt_s == null ? "–" : `${(price.volatility_per_sqrt_s * 774.597).toFixed(3)} %`);
    for (const el of $$("[data-window]")) set(el, f.bp(price.momentum_windows?.[el.dataset.window]));
    priceRow(price.price_e2);
  });

  // ---- the strike table: highest strike on top, the price's own row between
  const body = $("#strikes tbody"), marker = document.createElement("tr");
  marker.className = "now";
  const markerCell = document.createElement("td"), markerNote = document.createElement("span");
  markerCell.colSpan = 9; markerCell.append("", markerNote); marker.append(markerCell);
  const rows = new Map(); // ticker -> tr, kept while the ticker is shown
  function priceRow(price_e2) {
    if (!shown?.rows.length || price_e2 == null) return;
    markerCell.firstChild.data !== f.usd(price_e2) && (markerCell.firstChild.data = f.usd(price_e2));
    const below = shown.rows.filter((r) => r.strike_e2 <= price_e2).pop(), next = below ? rows.get(below.market_ticker) : null;
    if (marker.nextElementSibling !== next || marker.parentNode !== body) body.insertBefore(marker, next);
  }
  function strikeRow(r) {
    let tr = rows.get(r.market_ticker);
    if (!tr) {
      tr = $("#strike-row").content.firstElementChild.cloneNode(true);
      tr.dataset.ticker = r.market_ticker; rows.set(r.market_ticker, tr);
    }
    set(cell(tr, "strike"), f.strike(r.strike_e2)); set(cell(tr, "buffer"), f.usd(r.buffer_e2)); set(cell(tr, "percent"), `${r.buffer_percent.toFixed(2)} %`);
    set(cell(tr, "probability"), f.percent(r.probability));
    for (const side of ["yes", "no"]) {
      const ask = r[`${side}_ask_e4`], edge = cell(tr, `edge_${side}`), button = $(`[data-order="${side}"]`, tr);
      set(cell(tr, side), f.cents(ask)); button.dataset.off = String(ask == null);
      button.setAttribute("aria-label", `Buy ${side.toUpperCase()} ${f.strike(r.strike_e2)} at ${f.cents(ask)}`);
      set(edge, f.edge(r[`differential_${side}_e4`])); tone(edge, r[`differential_${side}_e4`]);
    }
    set(cell(tr, "depth"), f.whole(r.depth)); set(cell(tr, "volume"), f.whole(r.volume_e2));
    set(cell(tr, "held"), held[r.market_ticker] || "");
    return tr;
  }
  on("table", (table) => {
    if (shown && shown.event_ticker !== table.event_ticker) { rows.clear(); }
    shown = table; closes = table.close_time_ms || 0;
    $("#table-age").dataset.at = table.built_at_ms || "";
    const wanted = [...table.rows].reverse().map(strikeRow), kept = new Set(wanted);
    for (const [ticker, tr] of rows) if (!kept.has(tr)) rows.delete(ticker);
    const now = [...body.children].filter((tr) => tr !== marker);
    if (now.length !== wanted.length || now.some((tr, i) => tr !== wanted[i])) {
      const focus = document.activeElement?.closest?.("tr.strike")?.dataset.ticker, side = document.activeElement?.dataset?.order;
      body.replaceChildren(...wanted);
      alive(); // new buttons learn whether orders are on
      if (focus && rows.has(focus)) $(`[data-order="${side}"]`, rows.get(focus))?.focus({ preventScroll: true });
    }
    if (!wanted.length) body.innerHTML = '<tr class="empty"><td colspan="9">No strike table of this event yet.</td></tr>';
    priceRow(latest.price?.price?.price_e2 ?? table.price_e2);
    set(markerNote, "BTC now");
    const picker = $("#event");
    if (picker !== document.activeElement && picker.value !== table.event_ticker) picker.value = table.event_ticker;
  });
  body.addEventListener("click", (event) => {
    const button = event.target.closest("[data-order]"), ticker = button?.closest("tr").dataset.ticker;
    const row = shown?.rows.find((r) => r.market_ticker === ticker);
    if (row) window.desk.openTicket(row, button.dataset.order, closes);
  });
  on("tick", (at) => {
    const el = $("#countdown"), left = closes - at;
    set(el, closes ? (left > 0 ? f.left(left) : "closed") : "–"); el.classList.toggle("is-soon", closes > 0 && left < 60000);
  });

  // ---- which event: a series follows the event that closes next, the picker fixes one
  on("events", ({ events }) => {
    const picker = $("#event"), names = events.map((e) => e.event_ticker).join();
    if (picker === document.activeElement || picker.dataset.names === names) return;
    picker.dataset.names = names;
    picker.replaceChildren(...events.map((e) => new Option(`${e.series_ticker} ${f.eastern(e.close_time_ms)} ET`, e.event_ticker)));
    if (shown) picker.value = shown.event_ticker;
  });
  function choose(query) {
    history.replaceState(null, "", `/?${query}`); connect(query);
    const series = new URLSearchParams(query).get("series");
    for (const tab of $$("[data-series]")) { if (tab.dataset.series === series) tab.setAttribute("aria-current", "true"); else tab.removeAttribute("aria-current"); }
  }
  $("#event").addEventListener("change", (event) => choose(`event=${encodeURIComponent(event.target.value)}`));
  $("#series").addEventListener("click", (event) => {
    const tab = event.target.closest("[data-series]");
    if (tab) { event.preventDefault(); choose(`series=${encodeURIComponent(tab.dataset.series)}`); }
  });

  // ---- trades
  const span = (className, text) => { const el = document.createElement("span"); el.className = className; el.textContent = text; return el; };
  const average = (t) => t.entry_count_e2 ? f.cents(t.entry_cost_e6 / t.entry_count_e2) : "–";
  on("trades", ({ live, done, today }) => {
    const table = $("#live"), shownNow = $$("tbody", table), old = new Map(shownNow.map((tr) => [tr.dataset.trade, tr]));
    const fresh = live.map((t) => {
      const tr = old.get(String(t.trade_id)) || $("#live-row").content.firstElementChild.cloneNode(true);
      tr.dataset.trade = t.trade_id;
      const link = cell(tr, "market"); link.href = `/history/${t.trade_id}`; set(link, f.strike(t.strike_e2)); link.title = t.market_ticker;
      const left = t.close_time_ms - now(); set(cell(tr, "closes"), left > 0 ? f.left(left) : "closed");
      cell(tr, "side").replaceChildren(span(`side side-${t.side}`, t.side.toUpperCase()));
      set(cell(tr, "count"), `${f.count(t.entry_count_e2 - t.exit_count_e2)}${t.entry_count_e2 !== t.count_e2 ? ` of ${f.count(t.count_e2)}` : ""}`);
      set(cell(tr, "entry"), average(t)); set(cell(tr, "exit"), f.cents(t.exit_price_e4)); set(cell(tr, "probability"), f.percent(t.probability));
      const pnl = cell(tr, "pnl"); set(pnl, f.dollars(t.pnl_if_closed_e6, true)); tone(pnl, t.pnl_if_closed_e6);
      cell(tr, "state").replaceChildren(span(`state state-${t.state}`, t.state));
      const note = cell(tr, "note"); set(note, t.order_state === "unknown" ? "order unknown, being looked up" : t.note || t.reason || "");
      note.parentElement.hidden = !note.textContent;
      $("[data-close]", tr).dataset.off = String(t.state !== "open");
      $("[data-close]", tr).setAttribute("aria-label", `Close trade ${t.trade_id}, ${t.side} ${f.strike(t.strike_e2)}`);
      return tr;
    });
    if (fresh.length !== shownNow.length || fresh.some((tr, i) => tr !== shownNow[i])) {
      for (const tr of shownNow) tr.remove();
      table.append(...fresh);
    }
    set($("#live-count"), String(live.length)); $("#live-empty").hidden = live.length > 0; $("#live").hidden = !live.length;
    $("#done").replaceChildren(...done.map((t) => {
      const li = document.createElement("li"), link = document.createElement("a");
      link.href = `/history/${t.trade_id}`; link.textContent = f.strike(t.strike_e2);
      const pnl = span("", t.entry_count_e2 ? f.dollars(t.pnl_e6, true) : "–"); tone(pnl, t.pnl_e6);
      li.append(span(`side side-${t.side}`, t.side.toUpperCase()), " ", link, " ", span("muted", t.entry_count_e2 ? `${f.count(t.entry_count_e2)} × ${average(t)}` : "nothing bought"), " ", span(`state state-${t.state}`, t.state), " ", pnl);
      return li;
    }));
    const pnl = $("#today"); pnl.replaceChildren(f.dollars(today.pnl_e6, true)); tone(pnl, today.pnl_e6);
    set($("#today-won"), `${today.wins}/${today.trades}`); set($("#today-fees"), f.dollars(today.fees_e6));
    held = {};
    for (const t of live) if (t.entry_count_e2 > t.exit_count_e2) held[t.market_ticker] = `${held[t.market_ticker] ? `${held[t.market_ticker]}, ` : ""}${f.count(t.entry_count_e2 - t.exit_count_e2)} ${t.side.toUpperCase()}`;
    for (const [ticker, tr] of rows) set(cell(tr, "held"), held[ticker] || "");
  });
  $("#live").addEventListener("click", async (event) => {
    const button = event.target.closest("[data-close]"), id = Number(button?.closest("tbody").dataset.trade);
    const t = latest.trades?.live.find((x) => x.trade_id === id);
    if (!t || !await ask("Close this trade?", `Sell ${f.count(t.entry_count_e2 - t.exit_count_e2)} ${t.side.toUpperCase()} ${f.strike(t.strike_e2)} at the best bid, ${f.cents(t.exit_price_e4)} now: ${f.dollars(t.pnl_if_closed_e6, true)} after fees.`, "Sell now")) return;
    button.dataset.off = "true"; button.disabled = true;
    const answer = await call("POST", `/api/trades/${id}/close`, { idempotency_key: `close-${id}-${Date.now()}` });
    if (!answer.ok) say(`Not closed: ${answer.why}`, "bad");
    else if (answer.data.state !== "accepted") say(`${answer.data.state === "refused" ? "Close refused" : "Close asked for"}: ${answer.data.reason}`, answer.data.state === "refused" ? "bad" : "");
    else say("Close accepted.");
  });

  // ---- switches, with why
  function why() {
    const s = latest.switches?.settings, status = latest.status;
    if (!s) return;
    const e = s.auto_entry, stop = s.auto_stop, dep = status?.dependencies;
    const first = status?.entries?.[0];
    set($('[data-why="auto_entry"]'), !e.enabled ? "Off: nothing is entered without you." : s.kill_switch.on ? "On, but the kill switch stops every entry."
      : dep && !dep.entries_allowed ? `On, but entries are stopped: ${dep.root_cause}.`
        : first ? `${first.acting ? "Acting" : "Waiting"}: ${first.monitor_id}: ${first.why}` : "On: waits for a strike table of a monitor's series.");
    set($('[data-why="auto_stop"]'), stop.enabled ? `On: sells below ${stop.stop_probability_percent} %, confirmed after ${stop.confirm_after_s} s, until ${stop.min_time_to_close_s} s before the close.` : "Off: losing trades stay open until you close them or the market settles.");
    for (const name of ["auto_entry", "auto_stop"]) {
      const form = $(`[data-switch="${name}"]`), on = s[name].enabled;
      $("button", form).setAttribute("aria-checked", String(on)); form.elements.enabled.value = String(!on);
    }
  }
  on("switches", why); on("status", why);
  for (const form of $$("[data-switch]")) form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const answer = await call("PUT", `/api/settings/${form.dataset.switch}`, { enabled: form.elements.enabled.value === "true" });
    if (!answer.ok) say(answer.why, "bad");
  });
})();
