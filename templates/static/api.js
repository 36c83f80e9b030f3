// Calls to the desk's API. What changes something carries the session's token; a refusal is an answer, never an exception.
"use strict";
(() => {
  const csrf = document.querySelector("meta[name=csrf-token]").content;

  // What an error says: problem+json, {title, detail, cure}.
  function why(got, status) {
    if (status < 400) return "";
    const said = got.detail || got.title || `the desk answered ${status}`;
    return got.cure ? `${said}; ${got.cure}` : said;
  }

  // Answers {ok, status, data, why}. What may be repeated (all but POST) is tried once more when the connection broke; a ticket
  // repeats itself by its key.
  async function call(method, path, data, again = method !== "POST", more = {}) {
    const headers = { "X-CSRF-Token": csrf, ...more };
    if (data !== undefined) headers["Content-Type"] = "application/json";
    try {
      const answer = await fetch(path, { method, headers, body: data === undefined ? undefined : JSON.stringify(data) });
      if (answer.status === 401) location.assign(`/login?next=${encodeURIComponent(location.pathname)}`);
      const got = await answer.json().catch(() => ({}));
      if (got.code === "reauth_required") location.assign(`/settings/security/confirm?next=${encodeURIComponent(location.pathname + location.search)}`);
      return { ok: answer.ok, status: answer.status, data: got, why: why(got, answer.status) };
    } catch {
      if (!again) return { ok: false, status: 0, data: {}, why: "the desk did not answer" };
      await new Promise((done) => setTimeout(done, 400));
      return call(method, path, data, false, more);
    }
  }
  Object.assign(window.desk, { call, why, csrf });
})();
