// What a person must hear of (fills, closes, errors, stops, incidents): each item once in a tab, also after a lost stream or another page.
"use strict";
(() => {
  const { on, say, now } = window.desk, MOST = 300, SHOWN = 3;
  const read = (store, key) => { try { return JSON.parse(store.getItem(key)); } catch { return null; } };
  const write = (store, key, value) => { try { store.setItem(key, JSON.stringify(value)); } catch { /* storage is off: this page only */ } };
  // This tab's memory; a new tab goes on where this browser last heard something, but no further back than half a day.
  const before = read(sessionStorage, "recio.news") || { at: read(localStorage, "recio.news") || 0, keys: [] };
  const keys = new Set(before.keys), fresh = !before.at || Date.now() - before.at > 43_200_000;
  let at = fresh ? 0 : before.at, first = fresh;

  window.desk.heardNews = () => at;
  on("news", ({ items, now_ms, whole, since_ms }) => {
    const unheard = items.filter((item) => !keys.has(item.key) && item.at_ms > at - 30_000);
    for (const item of items) { keys.delete(item.key); keys.add(item.key); }
    for (const key of [...keys].slice(0, Math.max(0, keys.size - MOST))) keys.delete(key);
    at = now_ms;
    write(sessionStorage, "recio.news", { at, keys: [...keys] }); write(localStorage, "recio.news", at);
    if (first) { first = false; return; }
    const away = unheard.slice(0, -SHOWN), shown = unheard.slice(-SHOWN);
    if (away.length) say(`${away.length}${since_ms && !whole ? " or more" : ""} other things happened meanwhile, ${away.filter((item) => item.tone === "bad").length} of them bad.`, "warn", { href: "/history", stay: true });
    for (const item of shown) {
      const late = now() - item.at_ms > 60000, bad = item.tone === "bad";
      say(item.text, item.tone, { href: item.href, stay: late || bad, quiet: !["fill", "close", "error", "stop"].includes(item.kind), at_ms: item.at_ms });
      window.desk.tell("heard", item); // sounds and the like
    }
  });
})();
