// The exchange's page: a key's file is read here into its field and never uploaded as a file; what was asked follows the stream.
"use strict";
(() => {
  const { $, f, on, say } = window.desk;
  const LOOKS = { done: "filled", failed: "error", running: "pending", new: "pending" }, WORDS = { new: "waits", running: "under way", failed: "refused" };
  const KINDS = { set_exchange_key: "give the key of mode", remove_exchange_key: "remove the key of mode", mode: "switch to mode" };

  const form = $("[data-key-form]");
  if (form) {
    const box = $("[data-file]", form), input = $("input", box), said = $("[data-file-said]", form);
    box.hidden = false;
    input.addEventListener("change", async () => {
      const file = input.files[0];
      if (!file) return;
      if (file.size > 12000) { said.textContent = `${file.name} has ${file.size} bytes: too long for a private key.`; return; }
      form.elements.private_key.value = await file.text();
      said.textContent = `${file.name} was read into the field above.`;
      input.value = "";
    });
  }

  on("status", ({ requests: rows }) => {
    const list = $("#asked-list");
    for (const r of [...(rows || [])].reverse()) {
      if (!KINDS[r.kind]) continue;
      let li = $(`[data-request-id="${r.request_id}"]`, list);
      if (!li) {
        li = $("#asked-row").content.firstElementChild.cloneNode(true);
        li.dataset.requestId = r.request_id;
        $("b", li).textContent = `${KINDS[r.kind]} ${r.args.mode}`;
        $("small", li).textContent = `${f.time(r.asked_at_ms)} by ${r.asked_by}`;
        list.insertBefore(li, [...list.children].find((other) => Number(other.dataset.requestId) < r.request_id) || null);
        $("#asked").hidden = false;
      }
      const state = $(".state", li), before = li.dataset.state;
      state.textContent = WORDS[r.state] || r.state;
      state.className = `state state-${LOOKS[r.state]}`;
      $("[data-f=said]", li).textContent = r.waiting_s > 20 ? `Nobody has taken it for ${f.age(r.waiting_s)}: is recio-requests.path running on the host?` : r.result || r.progress;
      if (before && before !== r.state && (r.state === "done" || r.state === "failed")) say(r.result, r.state === "done" ? "good" : "bad");
      li.dataset.state = r.state;
    }
    while (list.children.length > 5) list.lastElementChild.remove();
  });
})();
