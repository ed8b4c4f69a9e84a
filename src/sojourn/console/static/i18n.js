// Words: every text that the console itself says, in the language of the person.

import en from "./en.js";
import zh from "./zh.js";

const LANGUAGES = { en, zh };
const KEPT = "sojourn.language";
let language = chosen();

/** The text of `key`; `{name}` in it stands for a value. */
export function t(key, values = {}) {
  const text = LANGUAGES[language][key] ?? en[key] ?? key;
  return text.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole));
}

/** The word of a status, or of anything that has one under this prefix; what has none is shown as it is. */
export function word(prefix, value) {
  const key = `${prefix}.${value}`;
  return key in en ? t(key) : String(value);
}

/** The language in use. */
export function languageInUse() {
  return language;
}

/** Use another language from now on. */
export function useLanguage(name) {
  language = name in LANGUAGES ? name : "en";
  try {
    localStorage.setItem(KEPT, language);
  } catch {
    // a browser that keeps nothing forgets it with the page
  }
  document.documentElement.lang = locale();
}

/** The locale of numbers and times. */
export function locale() {
  return language === "zh" ? "zh-CN" : "en";
}

function chosen() {
  let kept = null;
  try {
    kept = localStorage.getItem(KEPT);
  } catch {
    // as above
  }
  if (kept in LANGUAGES) return kept;
  return navigator.language.toLowerCase().startsWith("zh") ? "zh" : "en";
}
