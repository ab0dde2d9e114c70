// An equation wider than the page scrolls, and the keyboard reaches it as it reaches wide code and tables.
const reach = new ResizeObserver((boxes) => {
  for (const { target } of boxes) target.tabIndex = target.scrollWidth > target.clientWidth ? 0 : -1;
});
document.querySelectorAll("div.math").forEach((equation) => reach.observe(equation));
