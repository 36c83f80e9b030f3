// Settings, Look: shows a choice at once, before it is saved; the switch for sounds is this device's own.
"use strict";
(() => {
  const { $, f, set, on, tell } = window.desk, root = document.documentElement, sounds = $("#sounds");
  $("#look").addEventListener("change", ({ target }) => {
    if (target.name === "theme") { if (target.value === "auto") delete root.dataset.theme; else root.dataset.theme = target.value; tell("theme"); }
    if (target.name === "colours" || target.name === "density") root.dataset[target.name] = target.value;
  });
  on("tick", (at) => set($("#look-now"), `${f.time(at)} ${f.zone(at)}`));
  try { sounds.checked = localStorage.getItem("recio.sounds") === "on"; } catch { sounds.disabled = true; }
  sounds.addEventListener("change", () => localStorage.setItem("recio.sounds", sounds.checked ? "on" : "off"));
})();
