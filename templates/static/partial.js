// htmx on this desk: partial refreshes by hx-get / hx-post, the rest of the page untouched. The configuration is base.html's meta tag:
// errors are never swapped in but said, hx-on and js: values cannot run (the policy has no eval), hx-confirm asks with the desk's box.
"use strict";
(() => {
  const { $, say, ask, why, csrf, alive, tick, localTimes } = window.desk;
  document.addEventListener("htmx:config:request", (event) => {
    const { request } = event.detail.ctx;
    if (request.method !== "GET" && new URL(request.action, location.href).origin === location.origin) request.headers["X-CSRF-Token"] = csrf;
  });
  document.addEventListener("htmx:confirm", (event) => {
    const { ctx, issueRequest, dropRequest } = event.detail;
    event.preventDefault();
    const yes = ctx.sourceElement.dataset.yes || ctx.sourceElement.textContent.trim();
    ask(ctx.sourceElement.dataset.title || "Are you sure?", ctx.confirm, yes).then((sure) => (sure ? issueRequest() : dropRequest()));
  });
  // A session that ended answers a redirect to the log-in form: go there, never show it inside a panel.
  document.addEventListener("htmx:before:response", (event) => {
    const { raw, status } = event.detail.ctx.response;
    if (status !== 401 && !(raw.redirected && new URL(raw.url).pathname === "/login")) return;
    event.preventDefault();
    location.assign(`/login?next=${encodeURIComponent(location.pathname)}`);
  });
  document.addEventListener("htmx:response:error", (event) => {
    const { ctx } = event.detail, kind = ctx.response.headers.get("Content-Type") || "";
    if (kind.includes("json")) { say(why(JSON.parse(ctx.text), ctx.response.status), "bad"); return; }
    const page = new DOMParser().parseFromString(ctx.text, "text/html"), line = $("main [role=alert]", page) || $("main h1", page), cure = $("main h1 + p", page);
    say([line, cure].map((el) => el?.textContent.trim()).filter(Boolean).join(". ") || why({}, ctx.response.status), "bad");
  });
  document.addEventListener("htmx:error", (event) => {
    if (event.detail.ctx) say("The desk did not answer; this part of the page is as it was.", "bad");
    else console.error(event.detail.error);
  });
  // What was replaced keeps the focus: the same element by its id, or by its name in the same form.
  let focused = null;
  document.addEventListener("htmx:before:swap", () => {
    const el = document.activeElement;
    focused = !el || el === document.body ? null : el.id ? `#${CSS.escape(el.id)}` : el.name ? `[name="${CSS.escape(el.name)}"]` : null;
  });
  document.addEventListener("htmx:after:swap", () => {
    localTimes(); tick(); alive();
    if (focused && document.activeElement === document.body) $(focused)?.focus({ preventScroll: true });
  });
})();
