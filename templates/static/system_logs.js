// Logs: following asks every two seconds for what is newer, while the box is ticked and the tab is looked at.
"use strict";
(() => {
  const { $, f, set, call } = window.desk;
  const body = $("#log-lines tbody"), follow = $("#follow"), form = $("#log-filter"), said = $("#log-said");
  const MOST = 1000;
  let after = Math.max(0, ...[...body.querySelectorAll("time[data-local]")].slice(0, 1).map((t) => Number(t.dataset.local) * 1000 + 999));
  let timer = 0;
  follow.closest("label").hidden = false;

  async function more() {
    if (!follow.checked) return;
    if (document.visibilityState === "visible") {
      const asked = new URLSearchParams(new FormData(form));
      if (!asked.get("trade")) asked.delete("trade");
      asked.set("after", after);
      const answer = await call("GET", `/api/logs?${asked}`);
      if (!answer.ok) { set(said, `Following stopped: ${answer.why}`); follow.checked = false; return; }
      for (const line of answer.data.lines.reverse()) {
        const row = $("#log-row").content.firstElementChild.cloneNode(true), cells = row.children;
        row.className = `level-${line.level}`;
        set($("time", row), f.time(line.at_us / 1000));
        set(cells[1], line.service); set(cells[2], line.level); set(cells[3], line.text);
        body.querySelector(".empty")?.remove();
        body.prepend(row);
        after = Math.max(after, line.at_us);
      }
      while (body.children.length > MOST) body.lastElementChild.remove();
      set(said, `Following; ${body.children.length} lines, newest first`);
    }
    timer = setTimeout(more, 2000);
  }
  follow.addEventListener("change", () => { clearTimeout(timer); if (follow.checked) more(); else set(said, "Not following"); });
})();
