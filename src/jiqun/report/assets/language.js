(() => {
  const zh = document.getElementById("jq-zh"), en = document.getElementById("jq-en");
  const tell = () => { document.documentElement.lang = zh.checked ? "zh-Hans" : "en"; };
  (/^zh/i.test(navigator.language) ? zh : en).checked = true;
  zh.addEventListener("change", tell);
  en.addEventListener("change", tell);
  tell();
})();
