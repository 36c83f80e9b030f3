// Active trades and what was just finished, today's money and the limits used; closes one trade, or all of them with a confirm.
"use strict";
(() => {
  const { $, $$, f, set, tone, call, say, ask, on, now, alive, latest } = window.desk;
  const cell = (row, name) => $(`[data-f="${name}"]`, row);
  const span = (className, text) => { const el = document.createElement("span"); el.className = className; el.textContent = text; return el; };
  const average = (t) => t.entry_count_e2 ? f.cents(t.entry_cost_e6 / t.entry_count_e2) : "–";
  const holds = (t) => t.entry_count_e2 - t.exit_count_e2, OLD_LOOK_MS = 10_000;
  const fresh = (t) => t.live_at_ms != null && now() - t.live_at_ms < OLD_LOOK_MS;

  function liveRow(tr, t) {
    tr.dataset.trade = t.trade_id; tr.classList.toggle("is-old", holds(t) > 0 && !fresh(t));
    const link = cell(tr, "market"); link.href = `/history/${t.trade_id}`; set(link, f.strike(t.strike_e2)); link.title = t.market_ticker;
    const left = t.close_time_ms - now(); set(cell(tr, "closes"), left > 0 ? f.left(left) : "closed");
    cell(tr, "side").replaceChildren(span(`side side-${t.side}`, t.side.toUpperCase()));
    set(cell(tr, "count"), `${f.count(holds(t))}${t.entry_count_e2 !== t.count_e2 ? ` of ${f.count(t.count_e2)}` : ""}`);
    set(cell(tr, "entry"), average(t)); set(cell(tr, "exit"), f.cents(t.exit_price_e4)); set(cell(tr, "probability"), f.percent(t.probability));
    const pnl = cell(tr, "pnl"); set(pnl, f.dollars(t.pnl_if_closed_e6, true)); tone(pnl, t.pnl_if_closed_e6);
    cell(tr, "state").replaceChildren(span(`state state-${t.state}`, t.state));
    const old = holds(t) > 0 && t.live_at_ms != null && !fresh(t) ? `seen ${f.age((now() - t.live_at_ms) / 1000)} ago` : "";
    const note = cell(tr, "note"); set(note, [t.order_state === "unknown" ? "order unknown, being looked up" : t.note || t.reason || "", old].filter(Boolean).join("; "));
    note.parentElement.hidden = !note.textContent;
    $("[data-close]", tr).dataset.off = String(t.state !== "open");
    $("[data-close]", tr).setAttribute("aria-label", `Close trade ${t.trade_id}, ${t.side} ${f.strike(t.strike_e2)}`);
    return tr;
  }
  on("trades", ({ live, done, today, limits }) => {
    const table = $("#live"), there = $$("tbody", table), old = new Map(there.map((tr) => [tr.dataset.trade, tr]));
    const wanted = live.map((t) => liveRow(old.get(String(t.trade_id)) || $("#live-row").content.firstElementChild.cloneNode(true), t));
    if (wanted.length !== there.length || wanted.some((tr, i) => tr !== there[i])) {
      for (const tr of there) tr.remove();
      table.append(...wanted);
    }
    set($("#live-count"), String(live.length)); $("#live-empty").hidden = live.length > 0; table.hidden = !live.length;
    $("#done").replaceChildren(...done.map((t) => {
      const li = document.createElement("li"), link = document.createElement("a");
      link.href = `/history/${t.trade_id}`; link.textContent = f.strike(t.strike_e2);
      const pnl = span("", t.entry_count_e2 ? f.dollars(t.pnl_e6, true) : "–"); tone(pnl, t.pnl_e6);
      li.append(span(`side side-${t.side}`, t.side.toUpperCase()), " ", link, " ", span("muted", t.entry_count_e2 ? `${f.count(t.entry_count_e2)} × ${average(t)}` : "nothing bought"), " ", span(`state state-${t.state}`, t.state), " ", pnl);
      return li;
    }));
    const pnl = $("#today"); pnl.replaceChildren(f.dollars(today.pnl_e6, true)); tone(pnl, today.pnl_e6);
    set($("#today-won"), `${today.wins}/${today.trades}`); set($("#today-fees"), f.dollars(today.fees_e6));
    const held = live.filter((t) => holds(t) > 0), blind = held.some((t) => t.pnl_if_closed_e6 == null), sum = held.reduce((all, t) => all + (t.pnl_if_closed_e6 ?? 0), 0);
    const open = $("#open-pnl"); set(open, !held.length ? "–" : blind ? "not known" : f.dollars(sum, true)); tone(open, blind ? 0 : sum);
    $("#close-all-open").dataset.off = String(!closable().length);
    if (limits) meters(limits);
    if ($("#close-all").open) bids();
    alive();
  });

  // ---- limits: the gate's own figures
  const amount = (value, unit) => value == null ? "not known" : unit === "e6" ? f.dollars(value) : unit === "s" ? f.age(value) : String(Math.round(value));
  function meters({ meters: found, blocks }) {
    const box = $("#limits-list"), line = $("#limits-line");
    while (box.children.length > found.length) box.lastElementChild.remove();
    found.forEach((r, at) => {
      const row = box.children[at] || box.appendChild($("#limit-row").content.firstElementChild.cloneNode(true)), bar = $("meter", row);
      set(cell(row, "label"), r.label); set(cell(row, "figures"), `${amount(r.used, r.unit)} of ${amount(r.allowed, r.unit)}`); set(cell(row, "no"), r.refuses ? " refuses" : "");
      row.classList.toggle("is-refusing", r.refuses);
      bar.max = r.allowed || 1; bar.value = r.used ?? 0; bar.setAttribute("aria-label", r.label);
    });
    const said = blocks.map((b) => b.why).join(". ");
    line.classList.toggle("bad", blocks.length > 0); set(line, said ? `No entry is possible now: ${said}.` : "Nothing on the desk stops an entry.");
    $("#limits-age").dataset.at = latest.trades.now_ms;
  }

  // ---- closing one
  $("#live").addEventListener("click", async (event) => {
    const button = event.target.closest("[data-close]"), id = Number(button?.closest("tbody").dataset.trade);
    const t = latest.trades?.live.find((x) => x.trade_id === id);
    if (!t || !await ask("Close this trade?", `Sell ${f.count(holds(t))} ${t.side.toUpperCase()} ${f.strike(t.strike_e2)} at the best bid, ${f.cents(t.exit_price_e4)} now: ${f.dollars(t.pnl_if_closed_e6, true)} after fees.`, "Sell now")) return;
    button.dataset.off = "true"; button.disabled = true;
    const order = { idempotency_key: `close-${id}-${Date.now()}` };
    let answer = await call("POST", `/api/trades/${id}/close`, order);
    if (answer.status === 0 || answer.status >= 500) answer = await call("POST", `/api/trades/${id}/close`, order); // the same key: sold once
    if (!answer.ok) say(`Not closed: ${answer.why}`, "bad");
    else if (answer.data.state !== "accepted") say(`${answer.data.state === "refused" ? "Close refused" : "Close asked for"}: ${answer.data.reason}`, answer.data.state === "refused" ? "bad" : "");
    else say("Close accepted.");
  });

  // ---- closing all: what each would get, one confirm, an answer for each
  const all = $("#close-all"), rows = $("#close-all-rows"), yes = $("#close-all-yes"), line = $("#close-all-line");
  let key = "", asked = null; // asked: the trades that were shown when it was confirmed
  const closable = () => (latest.trades?.live || []).filter((t) => t.state === "open" && holds(t) > 0);
  const state = (text, kind = "") => { set(line, text); line.className = `line ${kind}`; };
  function row(t, words) {
    const tr = document.createElement("tr"), name = document.createElement("th");
    name.scope = "row"; name.append(span(`side side-${t.side}`, t.side.toUpperCase()), ` ${f.strike(t.strike_e2)} `, span("muted", `#${t.trade_id}`)); tr.append(name);
    for (const [text, value] of words) { const td = document.createElement("td"); td.textContent = text; tone(td, value); tr.append(td); }
    tr.classList.toggle("is-old", !fresh(t));
    return tr;
  }
  function bids() {
    if (asked) return;
    const found = closable(), unknown = found.filter((t) => t.pnl_if_closed_e6 == null).length, sum = found.reduce((total, t) => total + (t.pnl_if_closed_e6 ?? 0), 0);
    rows.replaceChildren(...found.map((t) => row(t, [[f.count(holds(t)), 0], [t.exit_price_e4 == null ? "nobody bids" : f.cents(t.exit_price_e4), 0], [f.dollars(t.pnl_if_closed_e6, true), t.pnl_if_closed_e6], [t.live_at_ms == null ? "never" : f.age((now() - t.live_at_ms) / 1000), 0]])));
    set($("#close-all-sum"), !found.length ? "Nothing is open." : unknown === found.length ? "Nobody bids now, or nobody has looked: what they would get after fees is not known." : `Together ${f.dollars(sum, true)} after fees${unknown ? `, without the ${unknown} for which nobody bids` : ""}.`);
    set(yes, `Sell all ${found.length}`); yes.dataset.off = String(!found.length);
  }
  $("#close-all-open").addEventListener("click", () => {
    key = crypto.randomUUID ? crypto.randomUUID() : `${Date.now()}-${Math.random().toString(36).slice(2)}`;
    asked = null; yes.hidden = false; set($("[data-dismiss]", all), "Keep"); state(""); bids(); alive(); all.showModal();
  });
  $("[data-dismiss]", all).addEventListener("click", () => all.close());
  $("form", all).addEventListener("submit", (event) => event.preventDefault());
  yes.addEventListener("click", async () => {
    asked ??= closable(); // of a repeat: the same trades under the same key
    if (!asked.length) return;
    yes.dataset.off = "true"; yes.disabled = true; state("Asking…");
    const ids = { trade_ids: asked.map((t) => t.trade_id) }, headers = { "Idempotency-Key": key };
    let answer = await call("POST", "/api/trades/close-all", ids, false, headers);
    if (answer.status === 0 || answer.status >= 500) answer = await call("POST", "/api/trades/close-all", ids, false, headers);
    if (!answer.ok) { yes.dataset.off = "false"; alive(); set(yes, "Ask again"); state(`${answer.why}. Asking again uses the same key: nothing is sold twice.`, "bad"); return; }
    const said = { accepted: "being sold", refused: "refused", new: "not decided yet", skipped: "left alone" }, by = new Map(asked.map((t) => [t.trade_id, t]));
    rows.replaceChildren(...answer.data.trades.map((one) => { const t = by.get(one.trade_id), tr = row(t, [[f.count(holds(t)), 0]]), td = document.createElement("td"); td.colSpan = 3; td.className = "long"; td.textContent = `${said[one.state]}${one.reason ? `: ${one.reason}` : ""}`; tr.append(td); return tr; }));
    const sold = answer.data.trades.filter((one) => one.state === "accepted").length, whole = sold === answer.data.trades.length;
    state(`${sold} of ${answer.data.trades.length} are being sold.`, whole ? "good" : "bad"); set($("#close-all-sum"), "Active trades show how each goes on."); yes.hidden = true; set($("[data-dismiss]", all), "Done");
  });
})();
