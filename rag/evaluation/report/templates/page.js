"use strict";
(() => {
  const root = document.documentElement;
  const rows = [...document.querySelectorAll("#list > details")];
  const search = document.getElementById("search");
  const buttons = [...document.querySelectorAll("[data-filter]")];
  const words = { en: "search in questions and answers", ko: "질문과 답에서 찾기" };
  let filter = "all";

  // a file opened from disk may have no storage
  const remember = (key, value) => { try { localStorage.setItem(key, value); } catch { /* not kept */ } };
  const recall = (key) => { try { return localStorage.getItem(key); } catch { return null; } };

  const showLanguage = (language) => {
    root.dataset.language = root.lang = language;
    if (search) search.placeholder = search.ariaLabel = words[language];
  };
  const showTheme = (theme) => {
    if (theme) root.dataset.theme = theme; else delete root.dataset.theme;
  };

  const texts = rows.map((row) => row.textContent.normalize("NFC").toLowerCase());
  const apply = () => {
    const wanted = (search.value || "").normalize("NFC").toLowerCase().trim();
    let count = 0;
    rows.forEach((row, at) => {
      const inFilter = filter === "all" || row.dataset.ways.split(" ").includes(filter);
      const shown = inFilter && (!wanted || texts[at].includes(wanted));
      row.hidden = !shown;
      count += shown;
    });
    document.getElementById("count").textContent = count;
    document.getElementById("nothing").hidden = count > 0;
    buttons.forEach((b) => b.setAttribute("aria-pressed", String(b.dataset.filter === filter)));
  };

  buttons.forEach((button) => button.addEventListener("click", () => {
    filter = button.dataset.filter;
    apply();
  }));
  if (search) search.addEventListener("input", apply);
  const openShown = (open) => () => rows.forEach((row) => { if (!row.hidden) row.open = open; });
  document.getElementById("expand")?.addEventListener("click", openShown(true));
  document.getElementById("collapse")?.addEventListener("click", openShown(false));

  document.getElementById("language").addEventListener("click", () => {
    const next = root.dataset.language === "en" ? "ko" : "en";
    remember("pagequote-language", next);
    showLanguage(next);
  });
  document.getElementById("theme").addEventListener("click", () => {
    const dark = root.dataset.theme
      ? root.dataset.theme === "dark"
      : matchMedia("(prefers-color-scheme: dark)").matches;
    remember("pagequote-theme", dark ? "light" : "dark");
    showTheme(dark ? "light" : "dark");
  });
  showTheme(recall("pagequote-theme"));
  showLanguage(recall("pagequote-language") || root.dataset.language);
})();
