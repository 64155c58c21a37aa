"use strict";
// The page is complete without this: it adds a search box, copy buttons and unfolding for print.
(() => {
  const unfold = (id) => {
    let node = id && document.getElementById(id);
    for (; node; node = node.parentElement) if (node.tagName === "DETAILS") node.open = true;
  };
  const follow = () => unfold(decodeURIComponent(location.hash.slice(1)));
  addEventListener("hashchange", follow);
  follow();

  for (const area of document.querySelectorAll(".cases")) {
    const controls = area.querySelector(".controls");
    const find = controls.querySelector("input");
    const [group, kind] = controls.querySelectorAll("select");
    const tally = controls.querySelector(".tally");
    const groups = [...area.querySelectorAll(".group")].map((node) => ({ node, wasOpen: node.open }));
    const cases = [...area.querySelectorAll(".case")].map((node) => ({
      node,
      group: node.closest(".group").id,
      text: node.textContent.toLowerCase(),
    }));
    const total = cases.length;
    const filter = () => {
      const words = find.value.toLowerCase().split(/\s+/).filter(Boolean);
      const active = words.length > 0 || group.value !== "" || kind.value !== "";
      let shown = 0;
      for (const c of cases) {
        const fits =
          (!group.value || c.group === group.value) &&
          (!kind.value || c.node.dataset.kind === kind.value) &&
          words.every((word) => c.text.includes(word));
        c.node.hidden = !fits;
        shown += fits;
      }
      for (const list of area.querySelectorAll(".kind-list")) list.hidden = !list.querySelector(".case:not([hidden])");
      for (const g of groups) {
        g.node.hidden = !g.node.querySelector(".case:not([hidden])");
        g.node.open = active ? !g.node.hidden : g.wasOpen;
      }
      tally.textContent = active ? `${shown} of ${total} cases` : `${total} cases`;
      area.querySelector(".no-match").hidden = shown > 0;
    };
    for (const control of [find, group, kind]) control.addEventListener("input", filter);
    controls.hidden = false;
    filter();
  }

  for (const box of document.querySelectorAll(".command")) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = "Copy";
    button.addEventListener("click", async () => {
      const code = box.querySelector("code");
      try {
        await navigator.clipboard.writeText(code.textContent);
        button.textContent = "Copied";
      } catch {
        getSelection().selectAllChildren(code);
        button.textContent = "Selected";
      }
      setTimeout(() => { button.textContent = "Copy"; }, 1500);
    });
    box.append(button);
  }

  let folded = [];
  addEventListener("beforeprint", () => {
    folded = [...document.querySelectorAll("details.focus:not([open])")];
    for (const node of folded) node.open = true;
  });
  addEventListener("afterprint", () => {
    for (const node of folded) node.open = false;
  });
})();
