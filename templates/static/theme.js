// Before the first paint: that script runs; and on pages without a session (log-in) the look last used on this device.
(() => {
  const root = document.documentElement;
  root.classList.add("js");
  if (root.dataset.session) return;
  let chosen = null;
  try { chosen = localStorage.getItem("theme"); } catch { /* storage is off: the system's look it is */ }
  if (chosen === "dark" || chosen === "light") root.dataset.theme = chosen;
})();
