// Which machine of the list in the page the browser runs on, as far as a browser tells; whoever uses it confirms.
// Nothing is sent: each machine is a link to the answer about it.
(async () => {
  "use strict";

  const KEPT = "llm-fit-advisor-machine"; // as page.js keeps it
  const MOST_SHOWN = 8;
  const PATIENCE_MS = 2000;
  const FIRST_GIB = 16;
  const VENDORS = { nvidia: "NVIDIA", geforce: "NVIDIA", amd: "AMD", radeon: "AMD", apple: "Apple", intel: "Intel" };
  const FORMS = /^(ti|super|d|laptop|mobile|max|pro|ultra|xt|xtx|gre|mod|ada|sff|nvl)$/;
  const SOFTWARE = /swiftshader|llvmpipe|basic render|software/i;

  const at = (id) => document.getElementById(id);
  const machines = JSON.parse(at("machines").textContent).map(([id, name, vendor, architecture, gib, asks]) => {
    const words = wordsOf(`${id} ${name}`);
    // Memory and cores are told by no browser.
    const named = new Set([...words].filter((word) => !/^\d+(gb|c)$/.test(word) && word !== "gpu" && word !== "core"));
    return { id, name, vendor, architecture: plain(architecture), gib, asks, named };
  });

  function wordsOf(text) {
    return new Set(text.toLowerCase().replace(/\(r\)|\(tm\)|0x[0-9a-f]+|\d+-core/g, " ").match(/[a-z0-9.]+/g) ?? []);
  }

  function plain(text) {
    return text.toLowerCase().replace(/[^a-z0-9.]/g, "");
  }

  async function look() {
    const found = { gpu: "", architecture: "", memory: navigator.deviceMemory, threads: navigator.hardwareConcurrency };
    found.system = navigator.userAgentData?.platform || navigator.platform || "";
    const late = new Promise((done) => setTimeout(done, PATIENCE_MS));
    try {
      const asked = navigator.gpu?.requestAdapter({ powerPreference: "high-performance" });
      const adapter = await Promise.race([asked, late]);
      const info = adapter?.isFallbackAdapter ? null : adapter?.info;
      found.architecture = info?.architecture ?? "";
      found.gpu = [info?.vendor, info?.architecture, info?.description || info?.device].filter(Boolean).join(" ");
    } catch {
      // No adapter is no mistake.
    }
    const drawn = renderer();
    if (drawn && !SOFTWARE.test(drawn)) found.gpu = `${found.gpu} ${known(drawn)}`.trim();
    if (SOFTWARE.test(found.gpu)) found.gpu = "";
    return found;
  }

  // Firefox names an old card for all that are like it: of "GeForce GTX 980, or similar" the vendor is true.
  function known(drawn) {
    return /or similar/i.test(drawn) ? drawn.replace(/,? or similar/i, "").replace(/\S*\d\S*/g, "") : drawn;
  }

  // WebGL's name of what draws is often the card's own, where WebGPU tells a family.
  function renderer() {
    try {
      const drawing = document.createElement("canvas").getContext("webgl");
      const named = drawing?.getExtension("WEBGL_debug_renderer_info");
      return named ? String(drawing.getParameter(named.UNMASKED_RENDERER_WEBGL)) : "";
    } catch {
      return "";
    }
  }

  // By name where the browser tells one, else by vendor and family; the likeliest first. `sure`: by name.
  function match(told) {
    const said = wordsOf(told.gpu);
    const scored = [];
    for (const one of machines) {
      const numbers = [...one.named].filter((word) => /\d/.test(word));
      if (one.asks === "memory_gib" || numbers.length === 0 || !numbers.every((word) => said.has(word))) continue;
      const count = (words, others) => [...words].filter((word) => FORMS.test(word) && !others.has(word)).length;
      scored.push({ one, lacks: count(said, one.named) - numbers.length, more: count(one.named, said) });
    }
    // What is told is true. A variant of a card may go by the plain name, a chip does not.
    const enough = (one) => one.asks !== "" || !(one.gib < told.memory);
    const least = Math.min(...scored.map(({ lacks }) => lacks));
    const named = scored
      .filter(({ one, lacks, more }) => lacks === least && enough(one) && (one.asks !== "" || more === 0))
      .sort((a, b) => a.more - b.more);
    if (named.length) {
      const best = named.filter(({ more }) => more === named[0].more).length;
      return { sure: true, alone: best === 1, found: named.map(({ one }) => one), best };
    }
    const vendor = Object.entries(VENDORS).find(([word]) => said.has(word))?.[1];
    const family = plain(told.architecture);
    const ofVendor = machines.filter((one) => one.vendor === vendor && one.asks !== "memory_gib" && enough(one));
    const ofFamily = ofVendor.filter((one) => family && one.architecture.endsWith(family));
    return { sure: false, alone: false, found: ofFamily.length ? ofFamily : ofVendor, best: 0, vendor };
  }

  function kept() {
    try {
      const found = JSON.parse(localStorage.getItem(KEPT));
      return typeof found?.query === "string" && typeof found.name === "string" ? found : null;
    } catch {
      return null;
    }
  }

  // What is typed; where a CPU alone computes, some RAM there must be.
  function ramOf(one) {
    const typed = Number(at("ram").value.replace(",", "."));
    return typed > 0 ? typed : one.asks === "memory_gib" ? told.memory || FIRST_GIB : 0;
  }

  function queryOf(one) {
    const query = new URLSearchParams({ machine: one.id });
    if (one.asks && ramOf(one)) query.set(one.asks, ramOf(one));
    return query;
  }

  function hrefOf(query) {
    const keys = document.querySelector("main").dataset.keys.split(" ");
    const then = new URLSearchParams(location.search);
    keys.forEach((key) => then.delete(key));
    for (const [key, value] of query) if (keys.includes(key)) then.set(key, value);
    return `${location.pathname}?${then}`;
  }

  function row(name, note, query, best, keeps) {
    const item = document.createElement("li");
    const label = document.createElement("span");
    const small = document.createElement("small");
    const link = document.createElement("a");
    if (best) item.className = "best";
    label.textContent = name;
    small.textContent = note;
    label.append(small);
    link.textContent = "Use this";
    link.setAttribute("aria-label", `Use this: ${name}`);
    link.href = hrefOf(query);
    link.addEventListener("click", () => {
      if (!keeps || !at("keep").checked) return;
      try {
        localStorage.setItem(KEPT, JSON.stringify({ query: String(query), name }));
      } catch {
        // A browser that keeps nothing answers all the same.
      }
    });
    item.append(label, link);
    return item;
  }

  function draw() {
    const typed = [...wordsOf(at("words").value)];
    const text = (one) => `${one.id} ${one.name} ${one.vendor} ${one.gib}gb ${one.gib} gb`.toLowerCase();
    const wanted = typed.length
      ? machines.filter((one) => typed.every((word) => text(one).includes(word)))
      : guessed.found.length
        ? guessed.found
        : machines.filter((one) => one.vendor === "generic");
    const shown = wanted.slice(0, MOST_SHOWN);
    const isBest = (place) => guessed.alone && !typed.length && place === 0;
    const mine = typed.length ? null : kept();
    at("found").replaceChildren(
      ...(mine ? [row(mine.name, "kept in this browser as your machine", new URLSearchParams(mine.query), true)] : []),
      ...shown.map((one, place) => row(one.name, noteOf(one), queryOf(one), isBest(place), true)),
    );
    const rest = wanted.length - shown.length;
    at("more").textContent = rest ? `And ${rest} more: type its name.` : wanted.length ? "" : "None has that name.";
  }

  function noteOf(one) {
    const otherwise = at("ram").value ? "" : ", unless you say another number below";
    if (one.asks === "memory_gib") return `no GPU · ${ramOf(one)} GiB of RAM${otherwise}`;
    return `${one.vendor} · ${one.gib} GB${one.asks ? " on the card" : " of memory in all"}`;
  }

  function say() {
    const lines = {
      GPU: told.gpu || "not told",
      Memory: told.memory ? `${told.memory} GB or more` : "not told",
      Processor: told.threads ? `${told.threads} threads` : "not told",
      System: told.system || "not told",
    };
    at("told").replaceChildren(
      ...Object.entries(lines).flatMap(([name, value]) => {
        const [term, text] = [document.createElement("dt"), document.createElement("dd")];
        term.textContent = name;
        text.textContent = value;
        return [term, text];
      }),
    );
    at("guess").textContent = sentence();
  }

  function sentence() {
    if (guessed.alone) return `It looks like this one: ${guessed.found[0].name}. Please confirm, or choose another.`;
    if (guessed.sure) return `It looks like one of these ${guessed.best}; only you know which. Please choose.`;
    const choose = "Please choose, or type the name of its GPU.";
    if (!guessed.found.length) return `Your browser tells little about this machine. ${choose}`;
    return `Your browser tells no name that the list has; these are by ${guessed.vendor}. ${choose}`;
  }

  const told = await look();
  const guessed = match(told);
  if (told.memory) at("ram").placeholder = `${told.memory} or more`;
  document.querySelector("form").hidden = false;
  document.querySelector("form").addEventListener("submit", (event) => event.preventDefault());
  at("words").addEventListener("input", draw);
  at("ram").addEventListener("input", draw);
  say();
  draw();
})();
