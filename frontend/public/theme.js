// The theme is set before the first paint; a file of its own, so that the page needs no inline script.
document.documentElement.dataset.theme =
  localStorage.getItem("pulse.theme") ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
