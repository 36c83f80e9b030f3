// The Account page's cancels: asked once more in the desk's box, sent once under a key of its own, followed until its end is known.
"use strict";
(() => {
  const { $, f, say, ask, call, alive } = window.desk;
  const reread = () => $("#account-now")?.dispatchEvent(new CustomEvent("reread"));
  const newKey = () => `cancel-${crypto.randomUUID ? crypto.randomUUID() : `${Date.now()}-${Math.random().toString(36).slice(2)}`}`;
  const said = { cancelled: ["Cancelled", "good"], gone: ["Too late to cancel", "bad"], refused: ["Not cancelled", "bad"], unknown: ["Not known yet", "warn"] };

  function tell({ state, reason, cancel }) {
    if (state !== "accepted") { say(`${state === "refused" ? "Not cancelled" : "Cancel asked for"}: ${reason}`, state === "refused" ? "bad" : ""); return; }
    const [words, kind] = said[cancel.state] || ["Cancel accepted", ""];
    if (cancel.state === "unknown") say(`${words}: the answer was lost, the order is being looked up. Nothing is sent twice.`, kind);
    else say(cancel.reason ? `${words}: ${cancel.reason}.` : `${words}.`, kind);
  }
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-cancel]");
    if (!button) return;
    const row = button.closest("tr"), since = $("time", row).textContent;
    if (!await ask("Cancel this order?", `${button.dataset.text} ${since}. What is left comes off the book; what has filled stays.`, "Cancel the order")) return;
    const now = document.getElementById(button.id) || button; // the panel may have been read anew behind the box
    now.dataset.off = "true"; alive();
    $("#elsewhere-title").focus({ preventScroll: true }); // a button that is switched off, and soon gone, holds no focus
    const path = `/api/account/orders/${encodeURIComponent(button.dataset.cancel)}/cancel`, order = { idempotency_key: newKey() };
    let answer = await call("POST", path, order);
    if (answer.status === 0 || answer.status >= 500) answer = await call("POST", path, order); // the same key: sent once
    if (answer.ok) tell(answer.data); else say(`Not cancelled: ${answer.why}`, "bad");
    const still = document.getElementById(button.id);
    if (still) still.dataset.off = "false";
    alive(); reread();
  });
  // While a cancel is under way its row is read every two seconds; a row that went leaves the focus on the panel's heading.
  setInterval(() => { if ($("[data-cancelling]") && !document.hidden) reread(); }, 2000);
  let within = false;
  document.addEventListener("htmx:before:swap", () => { within = !!document.activeElement?.closest("[data-resting]"); });
  document.addEventListener("htmx:after:swap", () => { if (within && document.activeElement === document.body) $("#elsewhere-title").focus({ preventScroll: true }); });
})();
