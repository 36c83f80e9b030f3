// What the ticket shows of a quote: the levels it would eat, money, the model of this very quote with how sure it is, refusals.
"use strict";
(() => {
  const { $, $$, f, set, tone } = window.desk, box = $("#ticket");
  const SHOWN = 5, OLD_TABLE_S = 10;
  const cells = (...texts) => { const tr = document.createElement("tr"); for (const text of texts) { const td = document.createElement("td"); td.textContent = text; tr.append(td); } return tr; };

  function levels(data) {
    const rows = data.levels.slice(0, Math.max(SHOWN, data.levels.filter((level) => level.taken_e2).length));
    $("#q-levels").replaceChildren(...rows.map((level) => {
      const tr = cells(f.cents(level.price_e4), f.count(level.count_e2), level.taken_e2 ? f.count(level.taken_e2) : "");
      tr.classList.toggle("taken", level.taken_e2 > 0);
      return tr;
    }), ...(rows.length ? [] : [cells(data.book_valid ? "nobody offers" : "no usable book", "–", "")]));
    const hidden = data.levels.slice(rows.length), more = hidden.length + data.more_levels;
    const count = hidden.reduce((sum, level) => sum + level.count_e2, data.more_count_e2);
    set($("#q-more"), more ? `${more} more level${more > 1 ? "s" : ""} with ${f.whole(count)} contracts${data.more_taken_e2 ? `, of which you take ${f.count(data.more_taken_e2)}` : ""}.` : "");
    const age = $("#q-age");
    age.dataset.at = data.book_age_s == null ? "" : String(Math.round(data.now_ms - data.book_age_s * 1000));
    if (data.book_age_s == null) set(age, "none on record");
  }

  function model(data, even) {
    const m = data.model, el = $("#q-model"), old = m.age_s != null && m.age_s > OLD_TABLE_S;
    set(el, m.probability == null ? "–" : f.percent(m.probability)); tone(el, m.probability == null || old ? 0 : m.probability - even);
    const edge = $("#q-edge"), count = (data.now.count_e2 || data.count_e2) / 100;
    set(edge, m.edge_e4 == null ? "–" : `${f.edge(m.edge_e4)}¢ each, ${f.dollars(m.edge_e4 * 100 * count, true)} in all`); tone(edge, old ? 0 : m.edge_e4);
    set($("#q-market"), f.percent(m.market));
    for (const one of [el, edge]) one.classList.toggle("is-stale", old);
    const sure = m.low == null ? "" : `Of forecasts like this ${f.percent(m.came_true)} came true; 95 % sure: ${f.percent(m.low)} to ${f.percent(m.high)}, from ${Math.round(m.events)} events of ${m.calibrated_by}.`;
    const why = m.why && `${m.why[0].toUpperCase()}${m.why.slice(1)}.`;
    set($("#q-sure"), [old ? `The model's figure is ${f.age(m.age_s)} old.` : "", sure, why].filter(Boolean).join(" "));
  }

  function refusals(found) {
    const list = $("#ticket-refusals"), said = found.map((one) => one.why).join("\n");
    list.hidden = !found.length;
    if (list.dataset.said === said) return;
    list.dataset.said = said;
    $("ul", list).replaceChildren(...found.map((one) => { const li = document.createElement("li"); li.textContent = one.why; return li; }));
  }

  function paint(data) {
    const q = data.now, worst = data.worst, some = q.count_e2 > 0, even = (q.breakeven_e4 ?? worst.breakeven_e4) / 10000;
    set($("#q-fill"), some ? `${f.count(q.count_e2)} at ${f.cents(q.average_e4)}${q.complete ? "" : ` of ${f.count(data.count_e2)}`}` : "nothing");
    set($("#q-fee"), f.dollars(some ? q.fee_e6 : worst.fee_e6, false, 4));
    set($("#q-loss"), q.complete && q.max_loss_e6 !== worst.max_loss_e6 ? `${f.dollars(q.max_loss_e6)} now, ${f.dollars(worst.max_loss_e6)} at the limit` : f.dollars(worst.max_loss_e6));
    set($("#q-payout"), some ? `${f.dollars(q.payout_e6)}, profit ${f.dollars(q.profit_e6, true)}` : f.dollars(worst.payout_e6));
    set($("#q-breakeven"), `wins ${f.percent(even)} of the time`);
    levels(data); model(data, even); refusals(data.refusals);
  }
  function clear() {
    for (const el of $$(".bill dd", box)) if (!el.firstElementChild) set(el, "–");
    for (const name of ["#q-model", "#q-edge"]) { $(name).className = ""; set($(name), "–"); }
    set($("#q-sure"), ""); set($("#q-more"), ""); $("#q-levels").replaceChildren(); $("#q-age").dataset.at = ""; set($("#q-age"), "–");
    refusals([]);
  }
  Object.assign(window.desk, { bill: { paint, clear } });
})();
