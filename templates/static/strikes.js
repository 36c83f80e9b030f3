// The strike table from the stream: highest strike on top, the price's own row between; every strike on demand; arrow keys move in it.
"use strict";
(() => {
  const { $, $$, f, set, tone, call, say, on, now, alive, latest, key, refocus } = window.desk;
  const body = $("#strikes tbody"), marker = document.createElement("tr"), markerCell = document.createElement("td"), markerNote = document.createElement("span");
  const OLD_BOOK_S = 30, ALL_MS = 3000, rows = new Map(); // ticker -> tr, kept while the ticker is shown
  let shown = null, closes = Number($("#countdown").dataset.close) || 0, held = {};
  const cell = (row, name) => $(`[data-f="${name}"]`, row);
  marker.className = "now"; markerCell.colSpan = 10; markerCell.append("", markerNote); marker.append(markerCell); set(markerNote, "BTC now");

  // ---- every strike: asked for while it is wanted; the rows of the stream are younger and go first
  const allButton = $("#strikes-all"), why = $("#strikes-why");
  let all = null, wantsAll = allButton.getAttribute("aria-pressed") === "true", asking = false;
  const list = () => {
    if (!wantsAll || !all || all.event_ticker !== shown.event_ticker) return shown.rows;
    const young = new Map(shown.rows.map((r) => [r.market_ticker, r]));
    return all.rows.map((r) => young.get(r.market_ticker) || r);
  };
  async function askAll() {
    if (!wantsAll || !shown?.event_ticker || asking || document.hidden) return;
    asking = true;
    const event = shown.event_ticker, answer = await call("GET", `/api/strikes/all?event=${encodeURIComponent(event)}`);
    asking = false;
    if (!wantsAll || shown.event_ticker !== event) return;
    if (answer.ok && answer.data.rows.length) all = answer.data; // else the rows there were, and why there are no newer ones
    set(why, answer.ok ? answer.data.why : `Not all strikes: ${answer.why}.`);
    paint();
  }
  allButton.addEventListener("click", (event) => {
    event.preventDefault();
    wantsAll = !wantsAll; all = null;
    allButton.setAttribute("aria-pressed", String(wantsAll)); set(allButton, wantsAll ? "Fewer strikes" : "All strikes"); set(why, "");
    if (wantsAll) askAll(); else paint();
  });
  setInterval(askAll, ALL_MS);

  // ---- rows
  function priceRow(price_e2) {
    if (!shown?.rows.length || price_e2 == null) return;
    markerCell.firstChild.data !== f.usd(price_e2) && (markerCell.firstChild.data = f.usd(price_e2));
    const below = list().filter((r) => r.strike_e2 <= price_e2).pop(), next = below ? rows.get(below.market_ticker) : null;
    if (marker.nextElementSibling !== next || marker.parentNode !== body) body.insertBefore(marker, next);
  }
  function strikeRow(r) {
    let tr = rows.get(r.market_ticker);
    if (!tr) {
      tr = $("#strike-row").content.firstElementChild.cloneNode(true);
      tr.dataset.ticker = r.market_ticker; rows.set(r.market_ticker, tr);
    }
    tr.classList.toggle("is-old", r.book_age_s == null || r.book_age_s > OLD_BOOK_S);
    tr.title = r.book_age_s == null ? "No order book of this market" : r.book_age_s > OLD_BOOK_S ? `Its order book is ${f.age(r.book_age_s)} old` : "";
    set(cell(tr, "strike"), f.strike(r.strike_e2)); set(cell(tr, "buffer"), f.usd(r.buffer_e2)); set(cell(tr, "percent"), `${r.buffer_percent.toFixed(2)} %`);
    set(cell(tr, "probability"), f.percent(r.probability)); set(cell(tr, "market"), f.percent(r.probability_market));
    set(cell(tr, "interval"), r.probability_low == null ? "" : `${Math.round(100 * r.probability_low)}–${Math.round(100 * r.probability_high)}`);
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
  function paint() {
    const wanted = [...list()].reverse().map(strikeRow), kept = new Set(wanted);
    for (const [ticker, tr] of rows) if (!kept.has(tr)) rows.delete(ticker);
    const there = [...body.children].filter((tr) => tr !== marker);
    if (there.length !== wanted.length || there.some((tr, i) => tr !== wanted[i])) {
      const focus = document.activeElement?.closest?.("tr.strike")?.dataset.ticker, side = document.activeElement?.dataset?.order;
      body.replaceChildren(...wanted);
      // of a strike that is gone not to another strike's button: Enter would ask for that one
      if (focus) refocus(rows.has(focus) && $(`[data-order="${side}"]`, rows.get(focus)), $("#strikes"));
    }
    if (!wanted.length) body.innerHTML = '<tr class="empty"><td colspan="10">No strike table of this event yet.</td></tr>';
    alive(); // new buttons learn whether orders are on
    priceRow(latest.price?.price?.price_e2 ?? shown.price_e2);
  }
  on("table", (table) => {
    if (shown && shown.event_ticker !== table.event_ticker) { rows.clear(); all = null; }
    const first = !shown || shown.event_ticker !== table.event_ticker;
    shown = table; closes = table.close_time_ms || 0;
    $("#table-age").dataset.at = table.built_at_ms || "";
    set($("#strikes-sure"), `${table.calibrated_by ? `Intervals: forecasts of ${table.calibrated_by}.` : "No intervals: nothing here was calibrated."} A model is not an edge.`);
    allButton.href = `/?event=${encodeURIComponent(table.event_ticker)}&strikes=all`;
    paint();
    if (first) askAll();
    const picker = $("#event");
    if (picker !== document.activeElement && picker.value !== table.event_ticker) picker.value = table.event_ticker;
  });
  on("price", ({ price }) => { if (price) priceRow(price.price_e2); });
  on("trades", ({ live }) => {
    held = {};
    for (const t of live) if (t.entry_count_e2 > t.exit_count_e2) held[t.market_ticker] = `${held[t.market_ticker] ? `${held[t.market_ticker]}, ` : ""}${f.count(t.entry_count_e2 - t.exit_count_e2)} ${t.side.toUpperCase()}`;
    for (const [ticker, tr] of rows) set(cell(tr, "held"), held[ticker] || "");
  });
  on("tick", (at) => {
    const el = $("#countdown"), left = closes - at;
    set(el, closes ? (left > 0 ? f.left(left) : "closed") : "–"); el.classList.toggle("is-soon", closes > 0 && left < 60000);
  });

  // ---- opening a ticket, by click, Enter or keys
  body.addEventListener("click", (event) => {
    const button = event.target.closest("[data-order]"), ticker = button?.closest("tr").dataset.ticker;
    const row = shown && list().find((r) => r.market_ticker === ticker);
    if (row) window.desk.openTicket(row, button.dataset.order, closes);
  });
  function reach(from, step, side) { // the next row whose button of that side can be pressed
    const order = $$("tr.strike", body);
    for (let at = from + step; at >= 0 && at < order.length; at += step) {
      const button = $(`[data-order="${side}"]:not([disabled])`, order[at]);
      if (button) { button.focus(); return; }
    }
  }
  body.addEventListener("keydown", (event) => {
    const button = event.target.closest("[data-order]");
    if (!button || event.altKey || event.ctrlKey || event.metaKey) return;
    const tr = button.closest("tr"), at = $$("tr.strike", body).indexOf(tr), side = button.dataset.order;
    const moves = { ArrowUp: () => reach(at, -1, side), ArrowDown: () => reach(at, 1, side), ArrowLeft: () => $('[data-order="yes"]:not([disabled])', tr)?.focus(), ArrowRight: () => $('[data-order="no"]:not([disabled])', tr)?.focus(), Home: () => reach(-1, 1, side), End: () => reach($$("tr.strike", body).length, -1, side) };
    if (!moves[event.key]) return;
    event.preventDefault(); moves[event.key]();
  });
  key("o", "To the strike nearest the price", () => {
    const rowsNow = $$("tr.strike", body), price = latest.price?.price?.price_e2;
    const nearest = shown && price != null ? [...list()].sort((a, b) => Math.abs(a.strike_e2 - price) - Math.abs(b.strike_e2 - price)).map((r) => rows.get(r.market_ticker)) : rowsNow;
    const button = nearest.map((tr) => tr && $("[data-order]:not([disabled])", tr)).find(Boolean);
    if (button) button.focus(); else say("No strike can be bought now.");
  }, "Trade page");
  // Only listed: these are the table's own (above); as registered keys they would be taken from the whole page.
  for (const [keys, what] of [["↑ ↓", "In the strike table: next strike"], ["← →", "In the strike table: YES or NO"], ["↵", "In the strike table: open the ticket"]]) key(keys, what, () => {}, "Trade page");
  window.desk.strikes = { event: () => shown?.event_ticker, closes: () => closes, now };
})();
