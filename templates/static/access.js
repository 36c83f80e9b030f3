// Password fields: a button that shows what is typed, and rules that say whether they are met while typing.
"use strict";
for (const box of document.querySelectorAll(".secret")) {
  const input = box.querySelector("input"), button = document.createElement("button");
  const label = (on) => { button.textContent = on ? "Hide" : "Show"; button.setAttribute("aria-label", on ? "Hide what is typed" : "Show what is typed"); };
  button.type = "button"; label(false);
  button.addEventListener("click", () => { const on = input.type === "password"; input.type = on ? "text" : "password"; label(on); input.focus(); });
  input.form.addEventListener("submit", () => { input.type = "password"; label(false); });
  box.append(button);
}
for (const rules of document.querySelectorAll("[data-rules]")) {
  const form = rules.closest("form"), fresh = form.elements.new, repeat = form.elements.repeat, least = Number(rules.dataset.rules);
  const tell = (rule, typed, met) => { const li = rules.querySelector(`[data-rule=${rule}]`); li.classList.toggle("is-met", typed && met); li.classList.toggle("is-unmet", typed && !met); };
  form.addEventListener("input", () => {
    tell("length", fresh.value !== "", [...fresh.value].length >= least);
    tell("same", repeat.value !== "", repeat.value === fresh.value);
  });
}
