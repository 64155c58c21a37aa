"use strict";
// The page is complete without this. It adds keys, dialogs, focus after a swap, the time an item was looked at, and
// says aloud what happened. It never reads markup out of what was said, and never writes any.
(() => {
  const REST_MS = 250; // after a new item appears: a key meant for the last one must not answer this one
  const $ = (selector, root = document) => root.querySelector(selector);
  const all = (selector) => [...document.querySelectorAll(selector)];
  document.documentElement.classList.add("has-script");

  // --- looking time: only while the page is visible ---
  let looked = 0;
  let since = performance.now();
  let shownAt = 0;
  const looking = () => looked + (document.hidden ? 0 : performance.now() - since);
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) looked += performance.now() - since;
    since = performance.now();
  });
  const fresh = () => {
    looked = 0;
    since = performance.now();
    shownAt = performance.now();
  };

  // --- what is said aloud ---
  const say = (text, wrong = false) => {
    const status = $("#status");
    status.textContent = "";
    status.classList.toggle("wrong", wrong);
    requestAnimationFrame(() => { status.textContent = text; });
  };

  // --- a new item ---
  const arrived = () => {
    fresh();
    const main = $("#main");
    const note = main?.dataset.note ?? "";
    const count = $(".count")?.textContent ?? "";
    say([note, count].filter(Boolean).join(" "));
    scrollTo(0, 0);
    $("#question")?.focus({ preventScroll: true });
    const name = $(".count")?.textContent;
    if (name) document.title = `${name} · ${$(".queue")?.textContent ?? ""}`;
  };
  const kept = (ctx) => ctx?.hx?.reswap === "none"; // a refusal: one sentence as plain text, and the form stays
  document.addEventListener("htmx:after:swap", (event) => {
    const ctx = event.detail?.ctx;
    if (ctx?.select === "#desk" && !kept(ctx)) arrived();
  });
  document.addEventListener("htmx:response:error", (event) => {
    if (kept(event.detail.ctx)) say(event.detail.ctx.text, true);
  });
  document.addEventListener("htmx:error", (event) => {
    if (event.detail?.ctx?.response) return;
    say("That was not sent, because the server cannot be reached. Nothing is lost: try again in a moment.", true);
  });
  addEventListener("submit", (event) => {
    const seconds = event.target.elements?.namedItem?.("seconds");
    if (seconds) seconds.value = (looking() / 1000).toFixed(2);
  }, true);

  // --- dialogs ---
  const open = (id) => {
    const dialog = document.getElementById(id);
    if (!dialog) return false;
    if (!dialog.open) dialog.showModal();
    const sheet = $("[data-from]", dialog);
    if (sheet && !sheet.querySelector("#rules-list")) {
      htmx.ajax("GET", sheet.dataset.from, { target: sheet, select: "#rules-list", swap: "innerHTML" });
    }
    return true;
  };
  document.addEventListener("click", (event) => {
    const opener = event.target.closest?.("[data-opens]");
    if (opener && open(opener.dataset.opens)) event.preventDefault();
    if (event.target.tagName === "DIALOG") event.target.close(); // the backdrop
  });

  // --- keys ---
  const typing = (node) => node?.matches?.("input:not([type=radio]), textarea, select, [contenteditable]");
  const fold = () => {
    const folds = all("#item details");
    const shut = folds.some((node) => !node.open);
    for (const node of folds) node.open = shut;
  };
  const inReason = (event) => {
    const sends = event.key === "Enter" && event.target.enterKeyHint === "send";
    if (sends || (event.key !== "Escape" && event.key !== "Enter")) return;
    event.preventDefault();
    if (!event.isComposing) event.target.blur();
  };
  const act = (key) => {
    if (key === "?") return open("keys");
    if (key === "g") return open("rules");
    if (key === "o") return fold(), true;
    const reason = $("#reason");
    if (key === "r" && reason) return reason.focus(), true;
    const button = all("[data-keys]").find((node) => node.dataset.keys.split(" ").includes(key));
    if (!button) return false;
    if (performance.now() - shownAt >= REST_MS) button.click();
    return true;
  };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    if ($("dialog[open]")) {
      if (event.key === "?" || event.key === "g") { $("dialog[open]").close(); event.preventDefault(); }
      return;
    }
    if (typing(event.target)) return inReason(event);
    if (event.key === "Enter" && event.target.closest?.("a, button, summary")) return;
    if (event.repeat) return;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    if (act(key)) event.preventDefault();
  });

  fresh();
  if (!$("#main")?.dataset.note) shownAt = -REST_MS; // a page that was opened has no item before it
})();
