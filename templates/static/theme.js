// Before the first paint: the look the user chose, else the system's.
(() => {
  document.documentElement.classList.add("js");
  let chosen = null;
  try { chosen = localStorage.getItem("theme"); } catch { /* storage is off: the system's look it is */ }
  if (chosen === "dark" || chosen === "light") document.documentElement.dataset.theme = chosen;
})();
