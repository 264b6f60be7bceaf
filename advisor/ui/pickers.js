// Pickers: a text field that lists what was meant while somebody types, best match first (see picking.py).
//
// A combobox as the ARIA Authoring Practices describe it: the focus stays in the field, arrows move through the list,
// Enter takes what is marked, Escape puts back what was chosen. Choosing follows a link within the app, as Back does.
// The page may draw a field anew at any time, so everything listens at the document and nothing is kept in a field.
(() => {
  "use strict";
  const WAIT_MS = 60;
  const REFOCUS_MS = 10000;
  const FILE_BYTES = 16 * 1024 * 1024;
  const SERVER = new URL("find", document.currentScript.src);
  let now = null; // the open picker
  let timer = 0;

  const rootOf = (node) => (node instanceof Element ? node.closest("[data-picker]") : null);
  const isField = (node) => node instanceof HTMLInputElement && node.matches("[data-picker] [role=combobox]");

  function open(field) {
    if (now && now.field === field) return now;
    close();
    const root = rootOf(field);
    now = {
      field,
      root,
      panel: root.querySelector("[data-panel]"),
      list: root.querySelector("[role=listbox]"),
      said: root.querySelector("[data-said]"), // seen
      status: root.querySelector("[role=status]"), // heard
      choices: [],
      marked: -1,
      asking: null,
      pending: "", // "text" or "hub" while choices are on their way
      enter: false, // pressed meanwhile
    };
    return now;
  }

  function close() {
    clearTimeout(timer);
    if (!now) return;
    now.asking?.abort();
    now.field.setAttribute("aria-expanded", "false");
    now.field.removeAttribute("aria-activedescendant");
    now.list.replaceChildren();
    say("");
    now.panel.hidden = true;
    now = null;
  }

  function restore(field) {
    field.value = field.defaultValue;
  }

  function say(text, quiet = false) {
    now.status.textContent = text;
    now.said.textContent = quiet ? "" : text;
    now.panel.hidden = now.list.childElementCount === 0 && !now.said.textContent;
  }

  // In the body, not in the address: addresses are written into logs, and people paste secrets.
  function question(parameters) {
    const { picker: key, column } = now.root.dataset;
    const asked = { key, link: location.search.slice(1), ...(column && { column: Number(column) }), ...parameters };
    const headers = { "Content-Type": "application/json" };
    return [SERVER, { method: "POST", headers, body: JSON.stringify(asked) }];
  }

  async function ask(address, request) {
    const picker = now;
    picker.asking?.abort();
    const asking = (picker.asking = new AbortController());
    picker.list.setAttribute("aria-busy", "true");
    let offer;
    try {
      const answer = await fetch(address, { ...request, signal: asking.signal });
      offer = await answer.json();
    } catch {
      offer = { choices: [], best: null, said: "The server cannot be reached; type again to retry." };
    }
    if (now !== picker || asking.signal.aborted) return;
    picker.asking = null;
    picker.pending = "";
    picker.list.removeAttribute("aria-busy");
    show(offer);
    if (picker.enter) take();
  }

  function askForText(field, wait) {
    open(field).pending = "text";
    now.asking?.abort(); // choices for less text must not be taken for those of all of it
    clearTimeout(timer);
    timer = setTimeout(() => {
      const words = field.value;
      ask(...question({ words, opened: words === field.defaultValue }));
    }, wait);
  }

  function askHub(words, again) {
    now.pending = "hub";
    now.choices = [];
    now.list.replaceChildren();
    say("Searching the Hub …");
    ask(...question({ words, again, hub: true }));
  }

  function show(offer) {
    now.choices = offer.choices;
    now.list.replaceChildren(
      ...offer.choices.map((choice, place) => {
        const option = document.createElement("div");
        option.id = `${now.list.id}-${place}`;
        option.setAttribute("role", "option");
        option.dataset.place = String(place);
        const label = document.createElement("span");
        label.textContent = choice.label;
        const note = document.createElement("small");
        note.textContent = choice.note;
        option.append(label, " ", note);
        return option;
      }),
    );
    now.field.setAttribute("aria-expanded", String(offer.choices.length > 0));
    mark(offer.best ?? -1);
    if (offer.said) say(offer.said);
    else say(offer.choices.length === 1 ? "1 choice" : `${offer.choices.length} choices`, true);
  }

  function mark(place) {
    now.marked = place;
    for (const option of now.list.children) {
      const marked = Number(option.dataset.place) === place;
      option.setAttribute("aria-selected", String(marked));
      if (marked) {
        now.field.setAttribute("aria-activedescendant", option.id);
        option.scrollIntoView({ block: "nearest" });
      }
    }
    if (place < 0) now.field.removeAttribute("aria-activedescendant");
  }

  function move(step) {
    const many = now.choices.length;
    if (many) mark(now.marked < 0 ? (step > 0 ? 0 : many - 1) : (now.marked + step + many) % many);
  }

  // Enter may come before the choices for what was typed: then it waits for them. Of the Hub's nobody has seen any.
  function take() {
    now.enter = now.pending === "text";
    const choice = now.pending ? null : now.choices[now.marked];
    if (choice) choose(choice);
  }

  function choose(choice) {
    if (choice.search !== null) {
      askHub(choice.search, choice.again);
      return;
    }
    const { field } = now;
    field.value = choice.label;
    field.defaultValue = choice.label;
    close();
    refocus(field.id);
    history.pushState({}, "", new URL(`?${choice.query}`, location.href));
    window.dispatchEvent(new PopStateEvent("popstate", { state: history.state }));
  }

  // The page draws the field anew with what was chosen; whoever works with the keyboard stays in it.
  function refocus(id) {
    const watching = new MutationObserver(() => {
      const field = document.getElementById(id);
      if (field && document.activeElement === document.body) field.focus({ preventScroll: true });
    });
    watching.observe(document.body, { childList: true, subtree: true });
    const stop = () => watching.disconnect();
    setTimeout(stop, REFOCUS_MS);
    for (const event of ["pointerdown", "keydown"]) addEventListener(event, stop, { once: true, capture: true });
  }

  document.addEventListener("input", (event) => {
    if (isField(event.target)) askForText(event.target, WAIT_MS);
  });

  document.addEventListener("focusin", (event) => {
    if (isField(event.target)) event.target.select();
  });

  document.addEventListener("focusout", (event) => {
    if (!isField(event.target)) return;
    if (now && now.field === event.target) close();
    restore(event.target);
  });

  document.addEventListener("keydown", (event) => {
    const field = event.target;
    if (!isField(field) || event.isComposing) return;
    const listed = now && now.field === field && now.choices.length > 0;
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      if (listed) move(event.key === "ArrowDown" ? 1 : -1);
      else askForText(field, 0);
    } else if (event.key === "Enter") {
      event.preventDefault();
      if (now && now.field === field) take();
      else if (field.value !== field.defaultValue) askForText(field, 0);
    } else if (event.key === "Escape") {
      if (now) event.stopPropagation();
      close();
      restore(field);
      field.select();
    }
  });

  // A config.json or the beginning of a GGUF file, which holds its header: the server keeps it and offers it.
  function send(field, name, body) {
    open(field).pending = "text";
    clearTimeout(timer);
    field.value = name;
    say(`Reading ${name} …`);
    const address = new URL("find/file", SERVER);
    const { picker: key, column = "" } = now.root.dataset;
    address.search = new URLSearchParams({ name, key, column, link: location.search.slice(1) });
    ask(address, { method: "POST", headers: { "Content-Type": "application/octet-stream" }, body });
  }

  document.addEventListener("paste", (event) => {
    if (!isField(event.target) || !event.target.dataset.files) return;
    const text = event.clipboardData?.getData("text").trim() ?? "";
    if (!text.startsWith("{")) return;
    event.preventDefault();
    send(event.target, "Your config.json", text);
  });

  document.addEventListener("change", (event) => {
    const file = event.target instanceof HTMLInputElement && event.target.type === "file" && event.target.files[0];
    const field = file && rootOf(event.target)?.querySelector("[role=combobox]");
    if (!field) return;
    event.target.value = "";
    field.focus();
    send(field, file.name, file.slice(0, FILE_BYTES));
  });

  document.addEventListener("mousedown", (event) => {
    const field = event.target;
    if (isField(field) && now?.field !== field) {
      // What is typed replaces what was chosen; a second click sets the cursor.
      event.preventDefault();
      field.focus();
      field.select();
    } else if (field instanceof Element && field.closest("[data-picker] [data-panel]")) {
      event.preventDefault(); // to press on a choice must not take the focus from the field, which would close the list
    }
  });

  document.addEventListener("click", (event) => {
    if (isField(event.target)) {
      if (now?.field !== event.target) askForText(event.target, 0);
      return;
    }
    if (!(event.target instanceof Element)) return;
    const button = event.target.closest("button[data-search]");
    const field = button && document.querySelector('[data-picker="model"] [role=combobox]');
    if (field) {
      field.focus();
      field.scrollIntoView({ block: "center" });
      open(field);
      askHub(button.dataset.search, false);
      return;
    }
    const option = event.target.closest("[data-picker] [role=option]");
    if (option && now && now.list.contains(option)) choose(now.choices[Number(option.dataset.place)]);
  });
})();
