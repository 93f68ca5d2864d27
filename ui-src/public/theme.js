// Puts a stored choice of theme on <html> before the first paint. A classic script, because modules
// run too late; a file, because the policy forbids inline scripts. Changing it is src/theme.ts's work.
(function () {
  try {
    var theme = localStorage.getItem("noetl-theme");
    if (theme === "light" || theme === "dark") {
      document.documentElement.dataset.theme = theme;
    }
  } catch {
    // Storage can be forbidden; then the system's theme stands.
  }
})();
