// One event stream for all tabs of a browser: one tab leads (Web Locks) and holds the connection, the others hear it through a
// BroadcastChannel; without these each tab has its own. Frames are whole pictures by topic, so a tab that joins or comes back misses
// nothing; news (news.js) carries ids and is replayed.
//
// What a page may use:
//   desk.on(topic, fn)       price events table trades switches status news beat; "live" when the state below changes
//   desk.connect(query)      which strike tables this tab shows: "event=E" or "series=S", several joined by &. The first is topic
//                            "table", each is also "table event=E" / "table series=S". Not called: <body data-stream>.
//   <body data-live>         "yes" all is fresh; "stale" the stream lives, the price is old; "lost" no news of the desk for 9 s, or the
//                            connection broke. Classes body.stale and body.lost say the same.
//   button[data-order]       opens a position: disabled unless "yes".     button[data-close] closes one: disabled when "lost".
//   data-off="true"          keeps such a button disabled for a reason of its own. desk.alive() applies this to new buttons at once.
"use strict";
(() => {
  const { $, $$, f, set, now, clockIs, on, tell, receive, latest, tick, call } = window.desk, body = document.body;
  const SILENT_MS = 9000, DEAD_MS = 12000, ASK_MS = 10000, GONE_MS = 35000, MOST_TABLES = 16, OLD_PRICE_S = 10;
  const TOPICS = ["price", "events", "table", "trades", "switches", "status", "news", "beat"];
  const shared = "BroadcastChannel" in window && navigator.locks ? new BroadcastChannel("recio.stream") : null;
  const me = Array.from(crypto.getRandomValues(new Uint32Array(2)), (n) => n.toString(36)).join("");
  let leads = !shared, source = null, asked = "", failures = 0, opened = false, reason = "", heard = Date.now(), tried = 0, place = null, state = "";

  // ---- which tables: mine, and those of the tabs I lead
  const parse = (query) => [...new URLSearchParams(query)].filter(([, name]) => name).map(([kind, name]) => `${kind}=${name}`);
  let mine = parse(body.dataset.stream);
  const others = new Map(), kept = new Map(); // tab -> {wants, at}; slot -> its newest frame, for tabs that join
  const union = () => [...new Set([...mine, ...[...others.values()].flatMap((tab) => tab.wants)])].slice(0, MOST_TABLES).sort().join("&");

  // ---- the connection, in the tab that leads
  function open() {
    asked = union(); tried = Date.now();
    source?.close();
    const since = window.desk.heardNews();
    const fresh = source = new EventSource(`/api/stream?${asked || "tables=off"}${since ? `&since=${since}` : ""}`);
    for (const topic of TOPICS) fresh.addEventListener(topic, (message) => { if (fresh === source) pass(topic, message.data); });
    fresh.addEventListener("bye", () => broke("the session or the desk ended"));
    fresh.onerror = () => {
      if (fresh !== source) return;
      broke("the connection broke; trying again");
      if (fresh.readyState !== EventSource.CLOSED) return; // it reconnects by itself, and says the last id
      setTimeout(() => { if (fresh === source && leads) open(); }, Math.min(5000, 500 * 2 ** failures));
      if (++failures === 2) call("GET", "/api/settings/kill_switch"); // a session that ended leads to the log-in form
    };
  }
  function broke(text) { lost(text); shared?.postMessage({ lost: text }); }
  function pass(topic, text) {
    const data = JSON.parse(text), slot = topic === "table" ? `table ${data.for}` : topic;
    failures = 0;
    if (topic === "table" && !asked.split("&").includes(data.for)) return;
    const at = Date.now();
    kept.set(slot, { text, at });
    shared?.postMessage({ slot, text, at });
    if (shows(slot)) take(slot, data, at);
  }
  function prune() { // tabs that closed without a word, tables nobody shows any more
    for (const [tab, seen] of others) if (Date.now() - seen.at > GONE_MS) others.delete(tab);
    const wanted = union();
    for (const slot of kept.keys()) if (slot.startsWith("table ") && !wanted.split("&").includes(slot.slice(6))) kept.delete(slot);
    if (wanted !== asked) open();
  }

  // ---- a frame, in every tab; ``at`` is when the leader had it, by the clock all tabs share
  const shows = (slot) => !slot.startsWith("table ") || mine.includes(slot.slice(6));
  function take(slot, data, at) {
    const [topic, name] = slot.split(" ");
    heard = Math.max(heard, at); clockIs(data.now_ms, at);
    if (topic === "beat" && data.mode && data.mode !== body.dataset.mode) { location.reload(); return; } // switched: nothing of this page is of it
    if (topic === "beat") { opened = data.ok; reason = data.why; alive(); tell("beat", data); return; }
    opened ||= topic === "price";
    if (topic === "table") { receive(slot, data); if (name !== mine[0]) return; }
    receive(topic, data);
  }
  function lost(text) { opened = false; reason = text; alive(); }

  // ---- leading and following
  const join = () => shared.postMessage({ join: me, wants: mine });
  shared?.addEventListener("message", ({ data: said }) => {
    if (said.who && !leads) join();
    else if (said.slot && !leads && (!said.to || said.to === me)) { if (shows(said.slot)) take(said.slot, JSON.parse(said.text), said.at); }
    else if (said.lost && !leads) lost(said.lost);
    else if (said.join && leads) {
      const known = others.get(said.join)?.wants.join() === said.wants.join();
      others.set(said.join, { wants: said.wants, at: Date.now() });
      if (known) return;
      for (const [slot, { text, at }] of kept) shared.postMessage({ to: said.join, slot, text, at });
      if (!opened) shared.postMessage({ lost: reason || "connecting" });
      if (union() !== asked) open();
    } else if (said.leave && leads) others.delete(said.leave);
  });
  function stand(steal = false) { // in line for the lead; a leader that is silent too long is robbed of it
    place?.abort(); place = new AbortController();
    const options = steal ? { steal: true } : { signal: place.signal };
    navigator.locks.request("recio.stream", options, () => new Promise(() => { leads = true; others.clear(); kept.clear(); shared.postMessage({ who: true }); open(); }))
      .catch(() => { if (!leads) return; leads = false; source?.close(); source = null; join(); stand(); });
  }
  function connect(query) {
    mine = parse(query ?? body.dataset.stream);
    for (const slot of Object.keys(latest)) if (!shows(slot)) delete latest[slot];
    if (!leads) join();
    else if (union() !== asked || !source) open();
    else for (const [slot, { text, at }] of kept) if (slot.startsWith("table ") && shows(slot)) take(slot, JSON.parse(text), at);
  }

  // ---- alive, stale or lost
  function alive() {
    heard = Math.min(heard, Date.now()); // this device's clock may be set back
    const silent_ms = Date.now() - heard, gone = !opened || silent_ms > SILENT_MS;
    const price = latest.price?.price, old_s = price ? (now() - price.received_at_ms) / 1000 : 0, stale = !gone && (!price || old_s > OLD_PRICE_S);
    const is = gone ? "lost" : stale ? "stale" : "yes";
    const text = gone ? `Live data is lost${silent_ms > 3000 ? ` for ${f.age(silent_ms / 1000)}` : ""}: ${reason || "the desk is silent"}. Orders are off until it is back.`
      : stale && latest.price ? (price ? `The BTC price is ${f.age(old_s)} old. New entries are off until it moves.` : "No BTC price yet.") : "";
    const banner = $("#banner");
    if (performance.now() > 3000) { set(banner, text); banner.hidden = !text; }
    for (const button of $$("[data-order]")) button.disabled = gone || stale || button.dataset.off === "true";
    for (const button of $$("[data-close]")) button.disabled = gone || button.dataset.off === "true";
    if (is === state) return;
    state = body.dataset.live = is;
    body.classList.toggle("lost", gone); body.classList.toggle("stale", stale);
    tell("live", is);
  }
  let ticked = Date.now(), prayed = 0;
  on("tick", () => {
    const gap = Date.now() - ticked, silent = Date.now() - heard;
    ticked = Date.now();
    if (gap > 5000) { wake(); return; }
    if (silent > DEAD_MS && ticked - tried > 5000) { tried = ticked; if (leads) open(); else stand(true); } // half open, or a leader that hangs
    if (shared && leads && ticked - prayed > ASK_MS) { prayed = ticked; shared.postMessage({ who: true }); prune(); }
    alive();
  });
  // Awake again (a laptop's lid, a phone's pocket, a network): say how old things are at once, and do not wait for a time-out.
  function wake() {
    alive();
    if (Date.now() - heard > SILENT_MS && Date.now() - tried > 1000) { if (leads) open(); else { tried = Date.now(); stand(true); } }
  }
  document.addEventListener("visibilitychange", () => { if (!document.hidden) { tick(); wake(); } });
  window.addEventListener("online", wake);
  window.addEventListener("offline", () => lost("this device has no network"));
  window.addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });
  window.addEventListener("pagehide", () => { shared?.postMessage({ leave: me }); source?.close(); });
  $(".logout")?.addEventListener("submit", () => source?.close());

  Object.assign(window.desk, { connect, alive, lost: () => body.classList.contains("lost"), leads: () => leads });
  document.addEventListener("DOMContentLoaded", () => { if (shared) { join(); stand(); } else open(); });
})();
