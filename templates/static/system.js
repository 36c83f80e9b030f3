// The system page: the services' table follows the stream.
"use strict";
(() => {
  const { $, f, set, on } = window.desk;
  on("status", ({ status, now_ms }) => {
    $("#status-age").dataset.at = now_ms - status.age_s * 1000;
    for (const s of status.services) {
      const tr = $(`[data-service="${s.name}"]`);
      if (!tr) continue;
      const cell = (name) => $(`[data-f="${name}"]`, tr), health = cell("health"), number = (v) => v == null ? "–" : v.toFixed(1);
      set(health, s.healthy ? "healthy" : s.state); health.className = `health ${s.healthy ? "good" : "bad"}`;
      set(cell("reason"), s.reason); set(cell("age"), s.age_s == null ? "–" : f.age(s.age_s));
      set(cell("pss"), number(s.pss_mb)); cell("pss").classList.toggle("bad", s.pss_mb > Number(tr.dataset.memory));
      set(cell("cpu"), number(s.cpu_percent)); set(cell("restarts"), s.restarts == null ? "–" : String(s.restarts));
    }
  });
})();
