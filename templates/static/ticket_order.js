// Sends one order under one key, and finds out what became of it when the answer is lost. No key is ever replaced by a new one.
//
//   answered                     its decision; one that is still "new" is asked for until it is decided
//   lost, the key has a ticket   that ticket's decision: it was heard
//   lost, the key has none       nothing was asked: the same order again under the same key, within RESEND_MS of the click
//   lost, and nobody answers     asked for again until ASK_MS have passed, then "unknown" with what to do
"use strict";
(() => {
  const { call } = window.desk, RESEND_MS = 10_000, ASK_MS = 90_000, PAUSE_MS = 1000;
  const pause = () => new Promise((done) => setTimeout(done, PAUSE_MS));
  const lost = (answer) => answer.status === 0 || answer.status >= 500;

  // Gives {state: accepted|refused|new|unknown|unasked|wrong, …}; told(text) says what it is doing meanwhile.
  async function place(order, told) {
    const began = Date.now(), address = `/api/tickets/${encodeURIComponent(order.idempotency_key)}`;
    let answer = await call("POST", "/api/tickets", order);
    for (let asked = 0; ; asked += 1) {
      if (answer.ok && answer.data.state !== "new") return answer.data;
      if (!answer.ok && !lost(answer) && answer.status !== 404) return { state: "wrong", status: answer.status, why: answer.why };
      if (Date.now() - began > ASK_MS) return answer.ok ? answer.data : { state: "unknown", why: answer.why };
      if (answer.ok) told("Asked; not decided yet…");
      else if (answer.status === 404 && asked === 0) return { state: "wrong", status: 404, why: answer.why }; // the order's own: no such market
      else if (answer.status === 404) {
        if (Date.now() - began > RESEND_MS) return { state: "unasked" };
        told("The answer was lost and nothing was asked: sending the same order again under its key…");
        answer = await call("POST", "/api/tickets", order);
        asked = -1;
        continue;
      } else told(`The answer was lost (${answer.why}): asking what became of the order…`);
      if (asked > 0 || answer.ok) await pause();
      answer = await call("GET", address);
    }
  }

  // A trade's way in four steps, {steps: {name: done|wait|bad}, outcome, text, kind}: asked, intent on record, sent, filled or not.
  function way(t, f) {
    const order = t.order_state || "intent", some = t.entry_count_e2 > 0, part = some && t.entry_count_e2 < t.count_e2;
    const held = `${f.count(t.entry_count_e2)}${part ? ` of ${f.count(t.count_e2)}` : ""} at ${f.cents(some ? t.entry_cost_e6 / t.entry_count_e2 : null)}`;
    const steps = { sent: "done", accepted: "done", order: some || !["intent", "sending", "unknown", "refused"].includes(order) ? "done" : "wait", open: "wait" };
    if (t.state === "open" || t.state === "closing") return { steps: { ...steps, open: "done" }, outcome: part ? "Part filled" : "Filled", text: `Open: ${held}${part ? "; the rest was cancelled" : ""}.`, kind: "good" };
    if (t.state === "expired") return { steps: { ...steps, open: "done" }, outcome: part ? "Part filled" : "Filled", text: `Open: ${held}; the market has closed, its result is awaited.`, kind: "good" };
    if (t.state === "closed" && some) return { steps: { ...steps, open: "done" }, outcome: part ? "Part filled" : "Filled", text: `Closed: ${f.dollars(t.pnl_e6, true)} after fees.`, kind: t.pnl_e6 >= 0 ? "good" : "bad" };
    if (t.state === "closed" || t.state === "error") {
      const refused = order === "refused", never = refused && /^not sent/.test(t.order_reason || "");
      return { steps: { ...steps, order: never ? "bad" : "done", open: "bad" }, outcome: refused ? "Refused" : "Nothing", text: `Nothing bought: ${t.reason || t.order_reason || `order ${order}`}.`, kind: "bad" };
    }
    if (order === "unknown") return { steps: { ...steps, order: "bad", open: "wait" }, outcome: "Unknown", text: "The exchange's answer was lost: the order is unknown and being looked up; nothing is sent twice.", kind: "bad" };
    const doing = { intent: "its order is on record, about to be sent", sending: "its order is being sent" }[order] || `its order is ${order.replaceAll("_", " ")}`;
    return { steps, outcome: "Filled", text: `Trade ${t.trade_id}: ${doing}.`, kind: "" };
  }
  Object.assign(window.desk, { order: { place, way } });
})();
