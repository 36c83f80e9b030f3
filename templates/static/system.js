// The System page: services, gauges, verdict and requests follow the stream; nothing is polled.
"use strict";
(() => {
  const { $, $$, f, set, on, call, ask, say } = window.desk;
  const number = (v, places = 1) => v == null ? "–" : v.toFixed(places);
  const WORDS = { new: "waits", running: "under way" }, LOOKS = { done: "filled", failed: "error", running: "pending", new: "pending" };

  function services(status, up) {
    const sums = {};
    for (const s of status.services) {
      const tr = $(`[data-service="${s.name}"]`);
      sums[s.tier] = s.pss_mb == null || sums[s.tier] === null ? null : (sums[s.tier] || 0) + s.pss_mb;
      if (!tr) continue;
      const cell = (name) => $(`[data-f="${name}"]`, tr), health = cell("health");
      set(health, s.healthy ? "healthy" : s.state); health.className = `health ${s.healthy ? "good" : "bad"}`;
      set(cell("reason"), s.reason); set(cell("age"), s.age_s == null ? "–" : f.age(s.age_s));
      set(cell("pss"), number(s.pss_mb)); cell("pss").classList.toggle("bad", s.pss_mb > Number(tr.dataset.memory));
      set(cell("cpu"), number(s.cpu_percent)); set(cell("files"), s.open_files == null ? "–" : String(s.open_files)); set(cell("threads"), s.threads == null ? "–" : String(s.threads));
      set(cell("restarts"), s.restarts == null ? "–" : String(s.restarts));
      if (up) set(cell("up"), up[s.name] == null ? "–" : f.age(up[s.name]));
    }
    for (const el of $$("[data-tier]")) {
      const sum = sums[el.dataset.tier];
      set(el, sum == null ? "– (not known of each)" : number(sum)); el.classList.toggle("bad", sum > Number(el.dataset.budget));
    }
    set($("[data-total]"), `${status.services.reduce((sum, s) => sum + (s.pss_mb || 0), 0).toFixed(0)} MB`);
  }

  function gauge(key, value, text) {
    const box = $(`[data-gauge="${key}"]`);
    if (!box || value == null) return;
    set($("[data-f=value]", box), text);
    const meter = $("[data-f=meter]", box);
    if (meter) meter.value = value;
    box.classList.toggle("is-bad", value >= Number(box.dataset.critical));
    box.classList.toggle("is-warn", value >= Number(box.dataset.warning) && value < Number(box.dataset.critical));
  }

  function database(db) {
    const age = $("#database-age"), whole = (v) => v.toLocaleString("en-US", { maximumFractionDigits: 0 });
    if (age) age.dataset.at = db.at_ms;
    const said = {
      size_mb: whole(db.size_mb), connections: String(db.connections), cache_hit: f.percent(db.cache_hit), longest_tx_s: f.age(db.longest_tx_s),
      dead_rows: whole(db.dead_rows), notify_lag_ms: db.notify_lag_ms == null ? "–" : `${db.notify_lag_ms.toFixed(1)} ms`,
    };
    for (const [name, text] of Object.entries(said)) set($(`[data-db="${name}"]`), text);
  }

  function verdict(v) {
    const box = $("#verdict"), more = $("#verdict-more");
    box.className = `panel verdict verdict-${v.level}`;
    set($("#verdict-line"), v.line); set($("#verdict-means"), v.means);
    const text = `${v.since_ms ? `Since ${f.time(v.since_ms)}. ` : ""}${v.todo ? `To do: ${v.todo}` : ""}`;
    set(more, text); more.hidden = !text;
  }

  function requests(rows) {
    const list = $("#request-list");
    $("#requests").hidden = !rows.length;
    for (const r of [...rows].reverse()) {
      let li = $(`[data-request-id="${r.request_id}"]`, list);
      if (!li) {
        li = $("#request-row").content.firstElementChild.cloneNode(true);
        li.dataset.requestId = r.request_id;
        set($("b", li), `${r.kind.replaceAll("_", " ")} ${Object.entries(r.args).flatMap(([name, value]) => name === "secret" ? [] : value).join(" ")}`);
        set($("small", li), `${f.time(r.asked_at_ms)} by ${r.asked_by}`);
        list.prepend(li);
      }
      const state = $(".state", li), late = r.waiting_s > 20;
      const before = li.dataset.state;
      set(state, WORDS[r.state] || r.state); state.className = `state state-${LOOKS[r.state]}`;
      set($("span:last-of-type", li), late ? `Nobody has taken it for ${f.age(r.waiting_s)}: is recio-requests.path running on the host?` : r.result || r.progress);
      if (before && before !== r.state && (r.state === "done" || r.state === "failed")) say(`${r.kind.replaceAll("_", " ")}: ${r.result}`, r.state === "done" ? "good" : "bad");
      li.dataset.state = r.state;
      if (r.kind === "diagnostics" && r.state === "done" && !$("a", li)) {
        const link = document.createElement("a");
        link.href = `/system/diagnostics/${r.result.split(":")[0]}`; link.className = "button"; link.download = ""; link.textContent = "Download";
        li.append(link);
      }
    }
    while (list.children.length > 8) list.lastElementChild.remove();
  }

  on("status", ({ status, now_ms, machine, verdict: v, requests: rows, up, feeds }) => {
    $("#status-age").dataset.at = now_ms - status.age_s * 1000;
    services(status, up);
    if (machine?.host) for (const key of ["cpu", "memory", "disk"]) gauge(key, machine.host[`${key}_percent`], `${machine.host[`${key}_percent`].toFixed(0)} %`);
    const ex = machine?.exchange;
    if (ex?.latency_ms != null) gauge("latency", ex.latency_ms, `${ex.latency_ms.toFixed(0)} ms`);
    if (ex?.clock_skew_s != null) gauge("skew", Math.abs(ex.clock_skew_s) * 1000, `${ex.clock_skew_s >= 0 ? "+" : "−"}${Math.abs(ex.clock_skew_s).toFixed(2)} s`);
    for (const feed of feeds || []) { const el = $(`[data-feed="${feed.name}"]`); if (el && feed.at_ms) el.dataset.at = feed.at_ms; }
    if (machine?.database) database(machine.database);
    if (v) verdict(v);
    if (rows) requests(rows);
  });

  document.addEventListener("submit", async (event) => {
    const form = event.target;
    if (!form.dataset.request) return;
    event.preventDefault();
    if (form.dataset.ask && !await ask(`${$("button", form).textContent}?`, form.dataset.ask, $("button", form).textContent)) return;
    const { csrf_token: _, kind, ...args } = Object.fromEntries(new FormData(form));
    const answer = await call("POST", "/api/requests", { kind, args });
    if (answer.data.code === "reauth_required") location.assign("/settings/security/confirm?next=/system%23releases");
    else if (!answer.ok) say(answer.why, "bad");
    else say(`${kind.replaceAll("_", " ")}: asked; its progress stands on top of the page.`);
  });
})();
