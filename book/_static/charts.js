// What the makers of the charts leave unnamed is named here, so that a screen reader can say it.
(function () {
  const embed = window.vegaEmbed;
  window.vegaEmbed = (element, ...given) =>
    embed(element, ...given).then((chart) => {
      tend(element, chart.view);
      return chart;
    });

  function tend(element, view) {
    element.querySelector("summary")?.setAttribute("aria-label", "Menu of this chart");
    element.querySelectorAll("input[type=range]").forEach((slider) => nameSteps(slider, view));
    const drawing = element.querySelector("svg.marks");
    if (drawing) {
      dropNameless(drawing);
      new MutationObserver(() => dropNameless(drawing)).observe(drawing, { attributeFilter: ["role"], subtree: true });
    }
  }

  // A slider counts; the chart's constant of the same name, ending in _names, tells what it stands at.
  function nameSteps(slider, view) {
    if (!(`${slider.name}_names` in view.getState().signals)) return;
    const names = view.signal(`${slider.name}_names`);
    const label = slider.nextElementSibling;
    const say = () => {
      const name = String(names[slider.value]);
      slider.setAttribute("aria-valuetext", name);
      if (label.textContent !== name) label.textContent = name;
    };
    // Vega writes the count there after each move, and after its own listeners.
    new MutationObserver(say).observe(label, { childList: true, characterData: true, subtree: true });
    view.addSignalListener(slider.name, say);
    say();
  }

  // A group without marks, or with marks that are decoration, is announced as a symbol without a name.
  function dropNameless(drawing) {
    for (const group of drawing.querySelectorAll("g[role=graphics-symbol]:not([aria-label])")) {
      group.removeAttribute("role");
      group.removeAttribute("aria-roledescription");
    }
  }
})();
