"use strict";
// Comfort only: every page reads and works without this file.

const local = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
for (const time of document.querySelectorAll("time")) {
  const text = local.format(new Date(time.dateTime));
  if ("keep" in time.dataset) time.title = text;
  else time.textContent = text;
}

for (const form of document.querySelectorAll("form[method=post]")) {
  form.addEventListener("submit", (event) => {
    if (form.dataset.sent) event.preventDefault();
    form.dataset.sent = "yes";
  });
}
addEventListener("pageshow", () => {
  for (const form of document.forms) delete form.dataset.sent;
});

const reply = document.querySelector("[data-reply]");
for (const link of document.querySelectorAll("[data-insert]")) {
  link.addEventListener("click", (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    const text = document.getElementById(`proposal-${link.dataset.insert}`).textContent;
    const field = reply.elements.message;
    field.value = field.value.trim() ? `${field.value.trimEnd()}\n\n${text}` : text;
    reply.elements.proposal.value = link.dataset.insert;
    reply.elements.mark.value = link.dataset.mark;
    reply.querySelector("[data-based]").hidden = false;
    field.rows = Math.max(field.rows, 10);
    field.focus();
  });
}
if (reply) {
  reply.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) reply.requestSubmit();
  });
}

const news = document.querySelector("[data-news]");
const issue = document.querySelector("[data-issue]")?.dataset.issue;
const list = document.querySelector(".list .rows, .list .state");

function tell(text) {
  const link = document.createElement("a");
  link.href = location.pathname + location.search.replace(/[?&](done|proposal)=\w+/, "");
  link.textContent = "Show";
  news.replaceChildren(`${text} `, link);
  news.hidden = false;
}

if ("signedIn" in document.body.dataset && (issue || list)) {
  const fresh = new Set();
  let events = null;
  const onEvent = (event) => {
    const about = JSON.parse(event.data).issue_id;
    if (issue && about === issue) tell("Something is new on this issue.");
    if (!issue && event.type === "issue.created") {
      fresh.add(about);
      tell(fresh.size === 1 ? "1 new issue." : `${fresh.size} new issues.`);
    }
  };
  const types = ["issue.created", "issue.changed", "message.added", "recommendation.ready",
    "summary.ready"];
  // A browser keeps few connections to one site: tabs in the background must not hold them.
  const follow = () => {
    events?.close();
    events = document.hidden ? null : new EventSource("/v1/events");
    for (const type of types) events?.addEventListener(type, onEvent);
  };
  document.addEventListener("visibilitychange", follow);
  addEventListener("pagehide", () => events?.close());
  follow();
}
