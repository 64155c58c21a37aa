"use strict";
// The page is complete without this, and reloads itself. This brings what is said as it is said, reads the sliders out,
// counts words, keeps what was typed or chosen and how long was looked over a reload, and sends by key. What it puts on
// the page comes from this server, which has made it inert; it builds no markup itself.
(() => {
  const SOON_MS = 3000; // a stream that ends by itself is back before that
  const REST_MS = 400; // after a form appears: a second click or key meant for the last one must not answer this one
  const $ = (selector, root = document) => root.querySelector(selector);
  const main = $("#main");
  const panel = $("#panel");
  const kept = { // a browser may refuse to store anything
    get: (key) => { try { return sessionStorage.getItem(key); } catch { return null; } },
    put: (key, value) => { try { sessionStorage.setItem(key, value); } catch { /* then it is lost on a reload */ } },
    drop: (key) => { try { sessionStorage.removeItem(key); } catch { /* then it never was there */ } },
  };

  // --- the form at hand ---
  let since = performance.now();
  const FORM = "form.give:not(.sent)";
  const name = (form = $(FORM, panel) ?? panel) => // others may use this tab next, or the same person for another set
    `${main.dataset.whose} ${$("[name=case]", form)?.value}/${$("[name=key]", form)?.value}`;
  const banked = () => Number(kept.get(`looked ${name()}`) ?? 0);
  const looked = () => banked() + (document.hidden ? 0 : performance.now() - since);
  const bank = () => {
    if ($(FORM, panel)) kept.put(`looked ${name()}`, String(banked() + performance.now() - since));
    since = performance.now();
  };
  addEventListener("pagehide", () => { if (!document.hidden) bank(); });
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) bank();
    since = performance.now();
  });

  const READS = {
    lean: (value) => `A ${100 - value}%, B ${value}%`,
    sure: (value) => `${value}% sure`,
  };
  const read = () => {
    const output = $("output[data-reads]", panel);
    if (!output) return;
    const slider = document.getElementById(output.htmlFor[0]);
    output.textContent = READS[output.dataset.reads](Number(slider.value));
    slider.setAttribute("aria-valuetext", output.textContent);
  };
  // as gadfly.words counts them
  const UNSPACED = "[\\p{sc=Han}\\p{sc=Hira}\\p{sc=Kana}\\p{sc=Thai}\\p{sc=Laoo}\\p{sc=Khmr}\\p{sc=Mymr}々ー]";
  const COUNTED = new RegExp(
    `${UNSPACED}|[\\p{L}\\p{N}_](?:(?!${UNSPACED}|(?<=\\p{Ll})\\p{Lu})[\\p{L}\\p{N}\\p{M}_'’]){0,29}|\\p{S}`,
    "gu",
  );
  const JOINED = /[\p{L}\p{N}\p{M}'’]+(?:_+[\p{L}\p{N}\p{M}'’]+){3,}_*/gu;
  const count = () => {
    const text = $("textarea", panel);
    const told = $(".counted", panel);
    if (!text || !told) return;
    const said = text.value.replace(/<\s*\/?\s*quote\b[^<>]*>/gi, " ");
    const words = said.replace(JOINED, (joined) => joined.replaceAll("_", " ")).match(COUNTED)?.length ?? 0;
    told.dataset.says ??= told.textContent;
    told.textContent = told.dataset.says.replace(/^Up to/, `${words} of up to`);
    told.classList.toggle("over", words > Number(told.dataset.most));
  };
  const progress = () => {
    const { done, left } = $("[data-done]", panel)?.dataset ?? {};
    if (done === undefined) return;
    $(".progress progress").value = Number(done);
    $(".progress b").textContent = done;
    $(".progress .quiet").textContent = `${left} left`;
  };
  const fields = () => [...panel.querySelectorAll("form.give textarea, form.give input:not([type=hidden])")];
  const draft = () => {
    const given = fields().filter((one) => one.type !== "radio" || one.checked);
    kept.put(`draft ${name()}`, JSON.stringify(Object.fromEntries(given.map((one) => [one.name, one.value]))));
  };
  const restore = () => {
    const drafted = JSON.parse(kept.get(`draft ${name()}`) ?? "{}");
    for (const one of fields().filter((one) => one.name in drafted)) {
      if (one.type === "radio") one.checked = one.value === drafted[one.name];
      else one.value = drafted[one.name];
    }
  };
  let resting = 0;
  const rest = () => {
    panel.classList.remove("ready");
    clearTimeout(resting);
    resting = setTimeout(() => panel.classList.add("ready"), REST_MS);
  };
  for (const kind of ["click", "submit"]) {
    document.addEventListener(kind, (event) => {
      if (!event.target.closest?.("#panel:not(.ready)")) return;
      event.preventDefault();
      event.stopImmediatePropagation();
    }, true);
  }
  const arrived = () => {
    since = performance.now();
    rest();
    restore();
    read();
    count();
  };
  document.addEventListener("input", (event) => {
    if (event.target.closest(`#panel ${FORM}`)) draft();
    read();
    count();
  });
  document.addEventListener("submit", (event) => {
    const seconds = event.target.elements?.namedItem?.("seconds");
    if (seconds) seconds.value = (looked() / 1000).toFixed(2);
  }, true);

  // --- keys: Enter sends a question or a lean, Ctrl-Enter a statement, and no verdict from one of its fields ---
  document.addEventListener("keydown", (event) => {
    const within = event.target.closest?.("#panel :is(button, input)");
    const held = event.repeat && (event.key === "Enter" || event.key === " "); // perhaps since the last form
    if (held && within) event.preventDefault();
    if (event.key !== "Enter" || event.isComposing) return;
    const how = event.target.dataset?.enter;
    if (!how) {
      if (within?.matches("input")) event.preventDefault();
      return;
    }
    if (how === "send" ? event.shiftKey : !(event.ctrlKey || event.metaKey)) {
      event.stopPropagation(); // a new line
      return;
    }
    event.preventDefault();
    if (!event.repeat) event.target.form.requestSubmit();
  }, true);

  // --- quoting ---
  const ADDED = "summary, .hidden-char"; // the page's own words among the document's
  const quoted = () => {
    const [chosen, text] = [getSelection(), $(".document .text")];
    if (!text || !chosen.rangeCount) return "";
    const range = chosen.getRangeAt(0).cloneRange();
    const all = range.toString().trim();
    if (!text.contains(range.endContainer)) range.setEnd(text, text.childNodes.length); // three clicks end at what follows
    if (!text.contains(range.startContainer) || range.toString().trim() !== all) return "";
    const around = range.commonAncestorContainer;
    if ((around.closest ? around : around.parentElement).closest(ADDED)) return "";
    const words = range.cloneContents();
    for (const one of words.querySelectorAll(ADDED)) one.remove();
    return words.textContent.trim();
  };
  document.addEventListener("mousedown", (event) => {
    if (event.target.closest?.("[data-quotes]")) event.preventDefault(); // keep the selection
  });
  document.addEventListener("click", (event) => {
    const button = event.target.closest?.("[data-quotes]");
    if (!button) return;
    const words = quoted();
    const text = document.getElementById(button.dataset.quotes);
    if (words) {
      const [from, to] = [text.selectionStart, text.selectionEnd];
      text.setRangeText(`<quote>${words}</quote>`, from, to, "end");
      text.dispatchEvent(new Event("input", { bubbles: true }));
    }
    text.focus();
  });

  // --- what is said, as it is said ---
  let mark = main.dataset.mark;
  let stream = null;
  let lost = 0;
  const status = (text) => {
    const line = $("#status");
    line.classList.toggle("wrong", Boolean(text));
    line.textContent = text;
  };
  const atEnd = () => innerHeight + scrollY >= document.documentElement.scrollHeight - 80;
  const still = matchMedia("(prefers-reduced-motion: reduce)");
  const follow = (was) => {
    if (was) scrollTo({ top: document.documentElement.scrollHeight, behavior: still.matches ? "auto" : "smooth" });
  };
  const listen = () => {
    stream = new EventSource(`/live?after=${encodeURIComponent(mark)}`);
    const on = (kind, handle) => stream.addEventListener(kind, (event) => {
      mark = event.lastEventId;
      handle(event.data);
    });
    on("anew", () => {
      stream.close(); // what follows belongs on the page that comes
      location.reload();
    });
    on("said", (html) => {
      const was = atEnd();
      $("#said").insertAdjacentHTML("beforeend", html);
      follow(was);
    });
    on("panel", (html) => {
      const was = atEnd();
      const within = panel.contains(document.activeElement);
      panel.innerHTML = html;
      panel.scrollTop = 0;
      progress();
      htmx.process(panel);
      arrived();
      follow(was);
      const told = [...panel.querySelectorAll(".ending p, h2, .waiting")].map((one) => one.textContent);
      $("#turn").textContent = [...told, $("form.give", panel)?.getAttribute("aria-label")].filter(Boolean).join(" ");
      const first = matchMedia("(pointer: fine)").matches && $("[autofocus]", panel);
      const next = first || (within && $(".sentence, h2, .waiting, form", panel)); // or focus would fall off the page
      if (next && !first) next.tabIndex = -1;
      next?.focus?.({ preventScroll: true });
    });
    stream.addEventListener("open", () => {
      clearTimeout(lost);
      lost = 0;
      status("");
    });
    stream.addEventListener("error", () => {
      lost ||= setTimeout(() => status("The connection is lost; trying again. Nothing is lost."), SOON_MS);
      if (stream.readyState !== EventSource.CLOSED) return;
      const stop = new AbortController();
      fetch(stream.url, { signal: stop.signal }).then((reply) => {
        stop.abort();
        const refused = reply.status >= 400 && reply.status < 500 && reply.status !== 429;
        if (refused) location.reload(); // the page says why
        else setTimeout(listen, 2000);
      }, () => setTimeout(listen, 2000));
    });
  };
  document.addEventListener("htmx:after:request", (event) => {
    const sent = event.detail?.ctx?.response?.status === 204;
    if (!sent) return;
    const form = event.detail.ctx.sourceElement ?? event.target;
    if (form.matches?.(FORM)) {
      for (const what of ["draft", "looked"]) kept.drop(`${what} ${name(form)}`);
      form.classList.add("sent"); // what follows may be on the page already
    }
    const deaf = () => stream?.readyState !== EventSource.OPEN;
    if (deaf()) setTimeout(() => { if (deaf()) location.reload(); }, SOON_MS); // it may be about to open
  });

  arrived();
  listen();
})();
