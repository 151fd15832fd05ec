// Copying, light and dark, and the first drawing.

for (const button of document.querySelectorAll("button.copy")) {
  button.hidden = false;
  button.addEventListener("click", async () => {
    const code = button.closest(".command").querySelector("code");
    try {
      await navigator.clipboard.writeText(code.textContent);
    } catch {
      const range = document.createRange();
      range.selectNodeContents(code);
      getSelection().removeAllRanges();
      getSelection().addRange(range);
      document.execCommand("copy"); // where the clipboard is not open to a page from a file
    }
    button.textContent = "Copied";
    setTimeout(() => (button.textContent = "Copy"), 1500);
  });
}

const theme = document.getElementById("theme");
const dark = () => (document.documentElement.dataset.theme ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
function showTheme() {
  theme.textContent = dark() ? "Light" : "Dark";
  theme.setAttribute("aria-label", `Switch to ${dark() ? "light" : "dark"}`);
}
theme.addEventListener("click", () => {
  document.documentElement.dataset.theme = dark() ? "light" : "dark";
  showTheme();
});
theme.hidden = false;
showTheme();

for (const part of document.querySelectorAll(".scripted")) part.classList.add("ready");
state.image = faceInside();
for (const { draw } of watchers) draw();
document.documentElement.dataset.ready = "true";
