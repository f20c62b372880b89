"""The pictures of docs/management-ui.md, taken in a headless Chromium on a broker of their own."""
