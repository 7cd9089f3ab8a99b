// The few things a page does by itself. Everything works without it.
"use strict";

// A phone's sheet of further pages closes when somebody looks elsewhere.
document.addEventListener("click", (event) => {
  for (const sheet of document.querySelectorAll(".thumb details[open]")) {
    if (!sheet.contains(event.target)) sheet.open = false;
  }
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const sheet of document.querySelectorAll(".thumb details[open]")) {
    sheet.open = false;
    sheet.querySelector("summary").focus();
  }
});

// A form is sent once, however often its button is pressed.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.dataset.sent) event.preventDefault();
  form.dataset.sent = "yes";
});
addEventListener("pageshow", () => {
  for (const form of document.forms) delete form.dataset.sent;
});

// Copying a code or a command, where the browser lets a page do so: over TLS or on the loopback.
for (const button of document.querySelectorAll("[data-copy]")) button.hidden = !navigator.clipboard;
document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent.trim());
  button.querySelector("span").textContent = button.dataset.done;
});

// A page that refreshes itself says so when the server is away, and goes on when it is back.
const away = (hidden) => { document.querySelector(".away").hidden = hidden; };
document.addEventListener("htmx:error", () => away(false));
document.addEventListener("htmx:after:request", (event) => away(event.detail.ctx.response.status < 500));
document.addEventListener("htmx:before:request", (event) => {
  if (document.hidden) event.preventDefault(); // nobody is looking
});
