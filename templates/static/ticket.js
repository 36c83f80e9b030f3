// The ticket: what a click will cost, one confirm, then the trade's way to the exchange, step by step.
"use strict";
(() => {
  const { $, $$, f, set, call, say, on, now, lost, bill, order: { place, way } } = window.desk, box = $("#ticket"), line = $("#ticket-line");
  const size = $("#ticket-count"), price = $("#ticket-price"), send = $("#ticket-send"), PRESETS = { count: [1, 5, 10, 25], dollars: [5, 10, 25, 50] };
  let row = null, side = "yes", by = "count", timer = 0, asked = 0, closes = 0, opened_e4 = null;
  let run = null; // the order of this ticket: {key, sent, trade}; one key from the first click to the end
  let quoted = null; // the order whose bill is on the screen: nothing else is ever sent

  const number = (input) => Number(input.value.replace(",", "."));
  const dollars = () => Number.isFinite(number(price)) ? (number(price) / 100).toFixed(4) : price.value;
  function state(text, kind = "") { set(line, text); line.className = `line ${kind}`; }
  function steps(found, outcome = "Filled") {
    $("#ticket-steps").hidden = false; set($('[data-step-name="open"]'), outcome);
    for (const [name, kind] of Object.entries(found)) $(`[data-step-name="${name}"]`).className = kind ? `is-${kind}` : "";
  }
  function fields(on) { for (const el of $$("input, [data-step], [data-preset], [data-by]", box)) el.disabled = !on; }

  async function quote() {
    if (!row || run.sent) return;
    const mine = ++asked, ask = { market_ticker: row.market_ticker, side, [by]: size.value.trim(), limit_price: dollars() };
    const { ok, data, why } = await call("GET", `/api/quote?${new URLSearchParams(ask)}`);
    if (mine !== asked || run.sent) return;
    const refused = ok && data.refusals.length > 0;
    quoted = ok && !refused ? { market_ticker: row.market_ticker, side, count: String(data.count_e2 / 100), limit_price: ask.limit_price } : null;
    send.dataset.off = String(!quoted); send.disabled = !quoted || lost();
    if (!ok) { state(why, "bad"); bill.clear(); return; }
    const some = data.now.count_e2 > 0;
    state(refused ? "The desk would refuse this order." : some && !data.now.complete ? `Only ${f.count(data.now.count_e2)} of ${f.count(data.count_e2)} are offered at your limit; the rest is cancelled.` : some ? "" : "Nobody sells at your limit now: the order would be cancelled.", refused || !some ? "bad" : "");
    set($("#ticket-title"), `Buy ${side.toUpperCase()} · ${data.claim ? `BTC ${data.claim}` : row.market_ticker}`);
    moved(data.best_ask_e4); bill.paint(data); window.desk.tick();
    set(send, `Buy ${f.count(data.count_e2)} ${side.toUpperCase()} for at most ${f.dollars(data.worst.max_loss_e6)}`);
  }
  function moved(ask_e4) {
    const el = $("#ticket-moved");
    opened_e4 ??= ask_e4;
    el.hidden = ask_e4 === opened_e4;
    set(el, el.hidden ? "" : ask_e4 == null ? `The ask was ${f.cents(opened_e4)} when you opened this; nobody offers now.` : `The ask was ${f.cents(opened_e4)} when you opened this; it is ${f.cents(ask_e4)} now.`);
  }
  // What is typed has no bill yet: it cannot be sent until its own has come, and an older answer no longer counts.
  function unquoted() { quoted = null; asked += 1; send.dataset.off = "true"; send.disabled = true; }
  const soon = () => { if (!run.sent) unquoted(); clearTimeout(timer); timer = setTimeout(quote, 120); };

  function sized(unit, value) {
    by = unit;
    for (const tab of $$("[data-by]", box)) tab.setAttribute("aria-pressed", String(tab.dataset.by === by));
    set($("#ticket-unit"), by === "count" ? "Contracts" : "Dollars at risk, fee included");
    $$("[data-preset]", box).forEach((button, at) => { button.dataset.preset = PRESETS[by][at]; set(button, `${by === "dollars" ? "$" : ""}${PRESETS[by][at]}`); });
    if (value !== undefined) size.value = String(value);
  }
  function open(strikeRow, chosen, closeMs) {
    const key = crypto.randomUUID ? crypto.randomUUID() : [...crypto.getRandomValues(new Uint8Array(16))].map((b) => b.toString(16).padStart(2, "0")).join("");
    row = strikeRow; side = chosen; closes = closeMs; run = { key, sent: false, trade: null };
    opened_e4 = side === "yes" ? row.yes_ask_e4 : row.no_ask_e4;
    set($("#ticket-title"), `Buy ${side.toUpperCase()} · strike ${f.strike(row.strike_e2)}`);
    price.value = opened_e4 == null ? "" : String(Math.min(99, (opened_e4 + 100) / 100));
    $("#ticket-steps").hidden = true; $("#ticket-moved").hidden = true; state(""); bill.clear(); fields(true); sized(by);
    steps({ sent: "", accepted: "", order: "", open: "" }); $("#ticket-steps").hidden = true;
    send.hidden = false; set(send, "Buy"); set($("[data-dismiss]", box), "Cancel");
    unquoted(); box.showModal(); size.select(); tick(); quote();
  }
  function tick() {
    if (box.open && row) set($("#ticket-market"), `${row.market_ticker} · closes ${f.eastern(closes)} ET, in ${f.left(closes - now())}`);
  }

  async function buy() {
    const mine = run;
    if (lost() || (mine.sent && !mine.open) || !(mine.open || quoted)) return;
    const here = () => run === mine && box.open; // else the ticket was closed: what became of it is said, not shown
    const tell = (text, kind = "bad") => here() ? state(text, kind) : say(text, kind, { stay: kind === "bad" });
    if (!mine.open) mine.order = { idempotency_key: mine.key, ...quoted };
    mine.sent = true; mine.open = false;
    send.dataset.off = "true"; send.disabled = true; fields(false); $("#ticket-refusals").hidden = true;
    steps({ sent: "wait", accepted: "", order: "", open: "" }); state("Sending…");
    const got = await place(mine.order, (text) => { if (here()) state(text); });
    if (got.state === "accepted") {
      mine.trade = got.trade_id;
      if (here()) { closing(); follow(got.trade); } else say(`Trade ${got.trade_id} was accepted.`, "", { href: `/history/${got.trade_id}` });
    } else if (got.state === "refused") { if (here()) { closing(); steps({ sent: "done", accepted: "bad" }, "Refused"); } tell(`Refused: ${got.reason}`); }
    else if (got.state === "new") { if (here()) { closing(); steps({ sent: "done", accepted: "wait" }); } tell(`${got.reason}. Its key is ${mine.key}.`, ""); }
    else if (got.state === "unknown") { // nothing may change until it is known: what is sent again is the very same order
      mine.open = true;
      if (here()) { steps({ sent: "bad" }, "Unknown"); send.dataset.off = "false"; send.disabled = lost(); set(send, "Ask again under the same key"); }
      tell(`Not known whether the order was heard (${got.why}). Asking again uses the same key: it is never bought twice. Active trades and History show what was.`);
    } else if (got.state === "unasked") { if (here()) steps({ sent: "bad" }); again(mine, here()); tell("The desk was out of reach and nothing was asked. The price may have moved: look at the bill, then send it again."); }
    else {
      if (here()) { steps({ sent: "bad" }); again(mine, true); if (got.status === 409) send.hidden = true; }
      tell(got.why);
    }
  }
  // Nothing was asked under the key, so the order whose bill is shown next may use it.
  function again(mine, shown) { mine.sent = false; if (shown) { fields(true); unquoted(); quote(); } }
  function closing() { send.hidden = true; set($("[data-dismiss]", box), "Done"); }
  function follow(t) {
    if (!t || !run || t.trade_id !== run.trade || !box.open) return;
    const found = way(t, f);
    steps(found.steps, found.outcome); state(found.text, found.kind);
  }

  on("trades", ({ live, done }) => { if (run?.trade != null) follow([...live, ...done].find((t) => t.trade_id === run.trade)); });
  on("tick", tick);
  box.addEventListener("input", soon);
  box.addEventListener("click", ({ target }) => {
    const step = target.closest("[data-step]"), preset = target.closest("[data-preset]"), unit = target.closest("[data-by]");
    if (step) {
      const input = document.getElementById(step.dataset.for), value = number(input) || 0;
      input.value = String(Math.max(1, Math.min(input === price ? 99 : 100000, Math.round((value + Number(step.dataset.step)) * 100) / 100)));
      soon();
    } else if (preset) { size.value = preset.dataset.preset; soon(); }
    else if (unit && unit.dataset.by !== by) { sized(unit.dataset.by, PRESETS[unit.dataset.by][0]); size.select(); soon(); }
    if (target.closest("[data-dismiss]")) box.close();
  });
  send.addEventListener("click", buy);
  $("form", box).addEventListener("submit", (event) => event.preventDefault());
  box.addEventListener("keydown", (event) => { if (event.key === "Enter" && event.target.tagName === "INPUT" && !send.disabled && !send.hidden) { event.preventDefault(); buy(); } });
  setInterval(() => { if (box.open && !run.sent) quote(); }, 2000);
  box.addEventListener("close", () => { if (run && run.sent && run.trade === null && !send.hidden) say("The ticket is closed; its order goes on, and what becomes of it is said here."); row = null; asked += 1; });
  window.desk.openTicket = open;
})();
