// The ticket: what a click will cost, one confirm, then the trade's way to the exchange, step by step.
"use strict";
(() => {
  const { $, $$, f, set, tone, call, say, on, now, lost } = window.desk, box = $("#ticket"), line = $("#ticket-line");
  const count = $("#ticket-count"), price = $("#ticket-price"), send = $("#ticket-send");
  let row = null, side = "yes", key = "", sent = false, trade = null, timer = 0, asked = 0, closes = 0;
  let quoted = null; // the order whose bill is on the screen: nothing else is ever sent

  const dollars = () => { const cents = Number(price.value.replace(",", ".")); return Number.isFinite(cents) ? (cents / 100).toFixed(4) : price.value; };
  function state(text, kind = "") { set(line, text); line.className = `line ${kind}`; }
  function step(name, kind) {
    $("#ticket-steps").hidden = false;
    const el = $(`[data-step-name="${name}"]`); el.className = kind ? `is-${kind}` : "";
  }

  async function quote() {
    if (!row || sent) return;
    const mine = ++asked, order = { market_ticker: row.market_ticker, side, count: count.value.trim(), limit_price: dollars() };
    const { ok, data, why } = await call("GET", `/api/quote?${new URLSearchParams(order)}`);
    if (mine !== asked || sent) return;
    quoted = ok ? order : null;
    send.dataset.off = String(!ok);
    send.disabled = !ok || lost();
    if (!ok) { state(why, "bad"); for (const el of $$(".bill dd", box)) set(el, "–"); return; }
    const q = data.now, some = q.count_e2 > 0;
    state(some && !q.complete ? `Only ${f.count(q.count_e2)} of ${f.count(data.count_e2)} are offered at your limit; the rest is cancelled.` : some ? "" : "Nobody sells at your limit now: the order would be cancelled.", some ? "" : "bad");
    set($("#q-fill"), some ? `${f.count(q.count_e2)} at ${f.cents(q.average_e4)}` : "nothing");
    set($("#q-fee"), f.dollars(some ? q.fee_e6 : data.worst.fee_e6, false, 4));
    set($("#q-loss"), q.complete && q.max_loss_e6 !== data.worst.max_loss_e6 ? `${f.dollars(q.max_loss_e6)} now, ${f.dollars(data.worst.max_loss_e6)} at the limit` : f.dollars(data.worst.max_loss_e6));
    set($("#q-payout"), some ? `${f.dollars(q.payout_e6)}, profit ${f.dollars(q.profit_e6, true)}` : f.dollars(data.worst.payout_e6));
    const even = (q.breakeven_e4 ?? data.worst.breakeven_e4) / 10000;
    set($("#q-breakeven"), `wins ${f.percent(even)} of the time`);
    const model = row.probability_yes == null ? null : side === "yes" ? row.probability_yes : 1 - row.probability_yes;
    set($("#q-model"), f.percent(model)); tone($("#q-model"), model == null ? 0 : model - even);
    set(send, `Buy ${f.count(data.count_e2)} ${side.toUpperCase()} for at most ${f.dollars(data.worst.max_loss_e6)}`);
  }
  // What is typed has no bill yet: it cannot be sent until its own has come, and an older answer no longer counts.
  function unquoted() { quoted = null; asked += 1; send.dataset.off = "true"; send.disabled = true; }
  const soon = () => { if (!sent) unquoted(); clearTimeout(timer); timer = setTimeout(quote, 120); };

  function open(strikeRow, chosen, closeMs) {
    row = strikeRow; side = chosen; closes = closeMs; sent = false; trade = null;
    key = crypto.randomUUID ? crypto.randomUUID() : [...crypto.getRandomValues(new Uint8Array(16))].map((b) => b.toString(16).padStart(2, "0")).join("");
    const best = side === "yes" ? row.yes_ask_e4 : row.no_ask_e4;
    set($("#ticket-title"), `Buy ${side.toUpperCase()} · BTC ${side === "yes" ? "at or above" : "below"} ${f.strike(row.strike_e2)}`);
    price.value = best == null ? "" : String(Math.min(99, (best + 100) / 100));
    $("#ticket-steps").hidden = true; state("");
    for (const name of ["sent", "accepted", "order", "open"]) $(`[data-step-name="${name}"]`).className = "";
    for (const el of $$("input, [data-step]", box)) el.disabled = false;
    send.hidden = false; set(send, "Buy"); set($("[data-dismiss]", box), "Cancel");
    for (const el of $$(".bill dd", box)) set(el, "–");
    unquoted(); box.showModal(); count.select(); tick(); quote();
  }
  function tick() {
    if (!box.open || !row) return;
    set($("#ticket-market"), `${row.market_ticker} · closes ${f.eastern(closes)} ET, in ${f.left(closes - now())}`);
  }

  async function buy() {
    if (sent || lost() || !quoted) return;
    const order = { idempotency_key: key, ...quoted };
    sent = true; send.disabled = true;
    for (const el of $$("input, [data-step]", box)) el.disabled = true;
    step("sent", "wait"); state("Sending…");
    let answer = await call("POST", "/api/tickets", order);
    if (answer.status === 0 || answer.status >= 500) answer = await call("POST", "/api/tickets", order); // the same key: never a second order
    if (answer.status === 0 || answer.status >= 500) {
      step("sent", "bad"); state(`No answer: ${answer.why}. Look in active trades before you order again.`, "bad"); return;
    }
    if (!answer.ok) {
      step("sent", "bad"); state(answer.why, "bad"); sent = false;
      for (const el of $$("input, [data-step]", box)) el.disabled = false;
      if (answer.status === 409) send.hidden = true; else send.disabled = false;
      return;
    }
    step("sent", "done"); send.hidden = true; set($("[data-dismiss]", box), "Done");
    if (answer.data.state === "refused") { step("accepted", "bad"); state(`Refused: ${answer.data.reason}`, "bad"); return; }
    if (answer.data.state === "new") { step("accepted", "wait"); state(answer.data.reason); return; }
    step("accepted", "done"); trade = answer.data.trade_id;
    follow(answer.data.trade);
  }
  function follow(t) {
    if (!t || t.trade_id !== trade) return;
    const order = t.order_state || "intent", good = order === "filled" || order === "partially_filled";
    step("order", order === "unknown" || order === "refused" || (order === "cancelled" && !t.entry_count_e2) ? "bad" : good || t.entry_count_e2 ? "done" : "wait");
    const held = `${f.count(t.entry_count_e2)} at ${f.cents(t.entry_count_e2 ? t.entry_cost_e6 / t.entry_count_e2 : null)}`;
    if (t.state === "open") { step("open", "done"); state(`Open: ${held}.`, "good"); }
    else if (t.state === "closed" && t.entry_count_e2) { step("open", "done"); state(`Closed: ${f.dollars(t.pnl_e6, true)} after fees.`, t.pnl_e6 >= 0 ? "good" : "bad"); }
    else if (t.state === "closed" || t.state === "error") { step("open", "bad"); state(`Nothing bought: ${t.reason || t.order_reason || `order ${order}`}.`, "bad"); }
    else if (order === "unknown") state("The exchange's answer was lost. The order is being looked up; nothing is sent twice.", "bad");
    else { step("open", "wait"); state(`Trade ${t.trade_id} is ${t.state}, its order ${order}.`); }
  }

  on("trades", ({ live, done }) => { if (trade !== null) follow([...live, ...done].find((t) => t.trade_id === trade)); });
  on("tick", tick);
  box.addEventListener("input", soon);
  box.addEventListener("click", (event) => {
    const by = event.target.closest("[data-step]");
    if (by) {
      const input = document.getElementById(by.dataset.for), value = Number(input.value.replace(",", ".")) || 0;
      input.value = String(Math.max(1, Math.min(input === price ? 99 : 100000, Math.round((value + Number(by.dataset.step)) * 100) / 100)));
      soon();
    }
    if (event.target.closest("[data-dismiss]")) box.close();
  });
  send.addEventListener("click", buy);
  $("form", box).addEventListener("submit", (event) => event.preventDefault());
  box.addEventListener("keydown", (event) => { if (event.key === "Enter" && event.target.tagName === "INPUT" && !send.disabled && !send.hidden) { event.preventDefault(); buy(); } });
  setInterval(() => { if (box.open && !sent) quote(); }, 2000);
  box.addEventListener("close", () => { if (trade === null && sent) say("The ticket is closed; its order goes on. See active trades."); row = null; });
  window.desk.openTicket = open;
})();
