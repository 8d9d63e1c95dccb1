// All that needs a script: names are completed as one types, and in Airflow's frame the colours follow Airflow's and
// links to other sites open beside it. Without it every page works.
"use strict";

(() => {
  const FIELDS = { person: "person", place: "place", organization: "org", event: "event" };
  const TYPES = { person: "person", place: "place", organization: "organisation", event: "event" };

  function completeNames(input) {
    const list = document.getElementById("names");
    const said = document.getElementById("names-said");
    let names = [], selected = -1, asked = 0, timer = 0;

    input.setAttribute("role", "combobox");
    input.setAttribute("aria-autocomplete", "list");
    input.setAttribute("aria-controls", list.id);
    input.setAttribute("aria-expanded", "false");

    // The word before the cursor, with the field it may stand in: person:mer
    const typed = () => /(?:^|[\s(])((?:(?:person|place|org|event):)?"?)([^\s"():]{2,24})$/u.exec(input.value.slice(0, input.selectionStart));

    function show(found) {
      names = found;
      selected = -1;
      list.replaceChildren(...found.map((item, i) => {
        const line = document.createElement("li");
        line.id = `name-${i}`;
        line.setAttribute("role", "option");
        line.setAttribute("aria-selected", "false");
        const name = document.createElement("bdi"), kind = document.createElement("span");
        name.textContent = item.name;
        kind.textContent = `${TYPES[item.type]}, ${item.articles}`;
        kind.className = "meta";
        line.append(name, kind);
        line.addEventListener("mousedown", (event) => { event.preventDefault(); take(i); });
        return line;
      }));
      list.hidden = found.length === 0;
      input.setAttribute("aria-expanded", String(found.length > 0));
      input.removeAttribute("aria-activedescendant");
      said.textContent = found.length ? `${found.length} names; choose with the arrow keys` : "";
    }

    function select(i) {
      list.children[selected]?.setAttribute("aria-selected", "false");
      selected = (i + names.length) % names.length;
      list.children[selected].setAttribute("aria-selected", "true");
      input.setAttribute("aria-activedescendant", `name-${selected}`);
    }

    function take(i) {
      const word = typed(), item = names[i];
      if (!word) return;
      const end = input.selectionStart;
      const start = end - word[1].length - word[2].length;
      const put = `${FIELDS[item.type]}:"${item.name.replace(/["\\]/g, "\\$&")}" `;
      input.setRangeText(put, start, end, "end");
      asked += 1;
      show([]);
    }

    input.addEventListener("input", () => {
      clearTimeout(timer);
      const word = typed();
      const number = ++asked;
      if (!word) return show([]);
      timer = setTimeout(async () => {
        try {
          const answer = await fetch(`${input.dataset.complete}?q=${encodeURIComponent(word[2])}`);
          if (answer.ok && number === asked) show(await answer.json());
        } catch { /* no names then */ }
      }, 150);
    });
    input.addEventListener("keydown", (event) => {
      if (list.hidden) return;
      if (event.key === "ArrowDown") select(selected + 1);
      else if (event.key === "ArrowUp") select(selected < 0 ? names.length - 1 : selected - 1);
      else if (event.key === "Enter" && selected >= 0) take(selected);
      else if (event.key === "Escape") show([]);
      else return;
      event.preventDefault();
    });
    input.addEventListener("blur", () => show([]));
  }

  function liveInFrame(outer) {
    const root = outer.documentElement;
    const follow = () => {
      const dark = root.classList.contains("dark"), light = root.classList.contains("light");
      if (dark || light) document.documentElement.dataset.theme = dark ? "dark" : "light";
    };
    follow();
    new MutationObserver(follow).observe(root, { attributes: true, attributeFilter: ["class"] });
    // The frame's sandbox opens no windows; the page around it does.
    document.addEventListener("click", (event) => {
      const link = event.target instanceof Element && event.target.closest("a.outside");
      if (!link || !/^https?:$/.test(link.protocol)) return;
      event.preventDefault();
      const twin = outer.createElement("a");
      twin.href = link.href;
      twin.target = "_blank";
      twin.rel = "noopener noreferrer nofollow";
      twin.click();
    });
  }

  const box = document.querySelector("input[data-complete]");
  if (box) completeNames(box);
  if (window.parent !== window) {
    let outer = null;
    try { outer = window.parent.document; } catch { /* another origin's page, which the policy forbids anyway */ }
    if (outer) liveInFrame(outer);
  }
})();
