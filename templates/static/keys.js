// The keyboard: single keys and sequences, listed on ?. Others add theirs with desk.key("n", "Next row", fn, "On this page").
// Not while one types, not in a dialog, not with Ctrl, Alt or Meta; <html data-keys="off"> (Settings, Look) turns all but ? off.
"use strict";
(() => {
  const { $, $$, flipKill, turnLook, refocus } = window.desk, registered = new Map();
  const box = $("#keys"), list = $("#keys-list");
  function key(keys, what, act, group = "Everywhere") { registered.set(keys, { what, act, group }); }

  let begun = "", timer = 0;
  const typing = (el) => el.closest?.("input:not([type=checkbox], [type=radio], [type=submit]), textarea, select, [contenteditable]");
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.altKey || event.metaKey || event.isComposing || event.key === "Shift") return;
    if (typing(event.target) || $("dialog[open]")) return;
    if (document.documentElement.dataset.keys === "off" && event.key !== "?") return;
    clearTimeout(timer);
    const pressed = begun ? `${begun} ${event.key}` : event.key, found = registered.get(pressed) || registered.get(event.key);
    begun = "";
    if (found) { event.preventDefault(); found.act(event); return; }
    if (![...registered.keys()].some((keys) => keys.startsWith(`${pressed} `))) return;
    begun = pressed; timer = setTimeout(() => { begun = ""; }, 1500);
  });

  function show() {
    const groups = new Map();
    for (const [keys, { what, group }] of registered) (groups.get(group) || groups.set(group, []).get(group)).push([keys, what]);
    list.replaceChildren(...[...groups].flatMap(([group, entries]) => {
      const title = document.createElement("h3"), rows = document.createElement("dl");
      title.textContent = group; rows.className = "keys";
      for (const [keys, what] of entries) {
        const row = document.createElement("div"), dt = document.createElement("dt"), dd = document.createElement("dd");
        dt.append(...keys.split(" ").map((one) => { const cap = document.createElement("kbd"); cap.textContent = one; return cap; }));
        dd.textContent = what; row.append(dt, dd); rows.append(row);
      }
      return [title, rows];
    }));
    const before = document.activeElement;
    box.showModal();
    box.addEventListener("close", () => refocus(before), { once: true });
  }
  $("#keys-open")?.addEventListener("click", show);

  // ---- rows: n and p go through the first control of every row of the page's tables
  function row(step) {
    const rows = $$("main tbody tr").filter((tr) => tr.offsetParent && $("a[href], button:not([disabled]), input", tr));
    if (!rows.length) return;
    const at = rows.indexOf(document.activeElement?.closest?.("tr")), next = rows[at < 0 ? (step > 0 ? 0 : rows.length - 1) : Math.min(rows.length - 1, Math.max(0, at + step))];
    $("a[href], button:not([disabled]), input", next).focus();
  }
  const go = (path) => () => location.assign(path);
  key("?", "This list", show);
  key("k", "Kill switch, asks first", () => flipKill(false));
  key("l", "Dark or light", turnLook);
  key("x", "Close the messages", () => { for (const line of $$("#said p, #told p")) line.remove(); });
  for (const [letter, path, name] of [["t", "/", "Trade"], ["h", "/history", "History"], ["a", "/account", "Account"], ["r", "/research", "Research"], ["s", "/system", "System"], ["e", "/settings", "Settings"]]) key(`g ${letter}`, name, go(path), "Go to");
  key("/", "Search or filter", () => $("main [data-search], main input[type=search], main .filters input, main .filters select, main select")?.focus(), "On this page");
  key("n", "Next row", () => row(1), "On this page");
  key("p", "Row before", () => row(-1), "On this page");
  Object.assign(window.desk, { key, showKeys: show });
})();
