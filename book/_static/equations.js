// An equation wider than the page scrolls, and the keyboard reaches it as it reaches wide code and tables.
const reach = new ResizeObserver((boxes) => {
  for (const { target } of boxes) {
    const equation = target.querySelector("mjx-container");
    if (equation) equation.tabIndex = equation.scrollWidth > equation.clientWidth ? 0 : -1;
  }
});
document.querySelectorAll("div.math").forEach((box) => reach.observe(box));
